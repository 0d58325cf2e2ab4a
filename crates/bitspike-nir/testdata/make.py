#!/usr/bin/env python3
"""Makes the two graphs here: small networks of snnTorch and SpikingJelly, written by each library's own exporter.

    pip install torch nir nirtorch snntorch spikingjelly h5py      (nir 1.0.8, snntorch 1.0.0, spikingjelly 2.0.0)
    python3 make.py
"""
import nir
import snntorch as snn
import snntorch.export_nir
import torch
from spikingjelly.activation_based import layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir

torch.manual_seed(1)
sample = torch.rand(1, 1, 8, 8)


def leaky(*shape: int) -> snn.Leaky:
    """Without a beta and a threshold per neuron snnTorch's exporter cannot tell the shape of neurons behind a convolution."""
    beta, threshold = torch.full(shape, 0.5), torch.ones(shape)
    return snn.Leaky(beta=beta, threshold=threshold, reset_mechanism="zero", init_hidden=True)


net = torch.nn.Sequential(
    torch.nn.Conv2d(1, 2, 3, padding=1), leaky(2, 8, 8), torch.nn.AvgPool2d(2),
    torch.nn.Conv2d(2, 3, 3, padding=1), leaky(3, 4, 4), torch.nn.AvgPool2d(2),
    torch.nn.Flatten(), torch.nn.Linear(3 * 2 * 2, 4),
)
# The batch is a dimension of the graph unless it is left out.
nir.write("snntorch.nir", snntorch.export_nir.export_to_nir(net, sample, ignore_dims=[0]))

net = torch.nn.Sequential(
    layer.Conv2d(1, 2, 3, padding=1), neuron.LIFNode(tau=2.0), layer.AvgPool2d(2),
    layer.Conv2d(2, 3, 3, padding=1), neuron.LIFNode(tau=2.0), layer.AvgPool2d(2),
    layer.Flatten(), layer.Linear(3 * 2 * 2, 4), neuron.LIFNode(tau=2.0),
)
nir.write("spikingjelly.nir", export_to_nir(net, sample))
