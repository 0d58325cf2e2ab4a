"""Binary spiking neural networks: 1-bit weights, 1-bit spikes.

``bitspike.torch`` has layers, gate, neurons, optimisers and the flip tracker for PyTorch, and :func:`bitspike.torch.fold`, which
makes a packed ``.bsnn`` file of a trained network. ``bitspike.format`` writes and reads such files and needs NumPy alone.
"""

__version__ = "0.1.0"
