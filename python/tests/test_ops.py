"""Finite differences of every op, laws, and shapes that are refused."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitspike import torch as bt
from bitspike.torch.neuron import WIDTHS, surrogate_derivative

SURROGATES = list(WIDTHS)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("scale", ["none", "mean-abs"])
@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda s: bt.BinaryConv2d(4, 6, 3, 2, 1, scale=s), (2, 1, 4, 5, 4)),
        (lambda s: bt.BinaryConv2d(4, 6, (1, 3), padding=(0, 1), groups=2, scale=s), (1, 4, 3, 3)),
        (lambda s: bt.BinaryConv1d(3, 2, 3, 1, 2, dilation=2, scale=s), (2, 2, 3, 7)),
        (lambda s: bt.BinaryLinear(5, 3, scale=s), (2, 2, 5)),
    ],
)
def test_gradients_of_binary_layers(make, shape, scale) -> None:
    layer = make(scale).double()
    nn.init.normal_(layer.weight)  # so that some |w| are above 1, where there is no gradient
    assert torch.autograd.gradcheck(layer, double(*shape))
    # dV is that of the weight as it enters the product, times 1[|V| ≤ 1].
    x, grad = double(*shape).detach(), None
    effective = layer.binary_weight().detach().requires_grad_()

    def product(w: Tensor) -> Tensor:
        twin = make("none").double()
        return torch.func.functional_call(_Product(twin), {"weight": w}, (x,))

    assert torch.autograd.gradcheck(product, effective)
    grad = torch.randn_like(product(effective))
    (wanted,) = torch.autograd.grad(product(effective), effective, grad)
    (found,) = torch.autograd.grad(layer(x), layer.weight, grad)
    inside = layer.weight.abs() <= 1
    assert 0 < inside.sum() < inside.numel()
    assert torch.allclose(found, wanted * inside)


class _Product(nn.Module):
    """The product of a binary layer with real weights."""

    def __init__(self, layer: bt.BinaryLayer) -> None:
        super().__init__()
        self.weight, self.layer = nn.Parameter(layer.weight.detach().clone()), [layer]

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer[0]
        if isinstance(layer, bt.BinaryLinear):
            return F.linear(x, self.weight)
        conv = F.conv1d if isinstance(layer, bt.BinaryConv1d) else F.conv2d
        lead = x.shape[: -len(layer.axes) - 1]
        y = conv(x.flatten(0, len(lead) - 1), self.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
        return y.unflatten(0, lead)


def test_sign_of_zero_and_scale() -> None:
    w = torch.tensor([[0.0, -0.0, -2.0, 4.0]])
    assert bt.binarize(w).tolist() == [[1.0, 1.0, -1.0, 1.0]]
    assert bt.binarize(w, "mean-abs").tolist() == [[1.5, 1.5, -1.5, 1.5]]


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5), (2, 3, 4, 5, 3)])
def test_norm_is_that_of_pytorch_on_the_flat_batch(shape) -> None:
    layer = bt.TimeBatchNorm(shape[2], v_threshold=0.5).double()
    nn.init.normal_(layer.norm.weight)
    nn.init.normal_(layer.norm.bias)
    assert torch.autograd.gradcheck(layer, double(*shape))
    x = double(*shape).detach()
    want = F.batch_norm(x.flatten(0, 1), None, None, 0.5 * layer.norm.weight, layer.norm.bias, True).view(shape)
    assert torch.allclose(layer(x), want)
    layer.eval()
    slope, offset = (v.view(-1, *[1] * (len(shape) - 3)) for v in layer.folded())
    assert torch.allclose(layer(x), slope * x + offset)


def test_norm_becomes_a_synchronised_one() -> None:
    net = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(bt.TimeBatchNorm(3)))
    assert isinstance(net[0].norm, nn.SyncBatchNorm)
    x = torch.randn(2, 3, 3, 4, 4)
    assert torch.allclose(net.eval()(x), x / (1 + 1e-5) ** 0.5)


OPTIONS = [
    dict(pool=p, alpha=a, alpha_inside=i)
    for p, a, i in itertools.product(["chw", "hw", "nchw", "none", "const"], ["step", "step-channel"], [False, True])
    if not (p == "const" and i)
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
def test_gradients_of_the_gate(options) -> None:
    gate = bt.Agmm(2, 3, **options).double()
    nn.init.normal_(gate.alpha, 1.0, 0.3)
    x = double(2, 2, 3, 3, 2)

    def run(x: Tensor, alpha: Tensor) -> Tensor:
        return torch.func.functional_call(gate, {"alpha": alpha}, (x,))

    assert torch.autograd.gradcheck(run, (x, gate.alpha))
    # Without a gradient through the mean the factor is a constant for x; with apply = "gradient" it is all of the gradient.
    grad = torch.randn_like(x)
    with torch.no_grad():
        factor = gate(torch.ones_like(x)) if options["pool"] == "const" else gate(x) / x
    for more in (dict(detach_gate=True), dict(detach_gate=True, apply="gradient"), dict(apply="gradient")):
        other = bt.Agmm(2, 3, **options, **more).double()
        other.alpha.data = gate.alpha.data
        y = other(x)
        assert torch.equal(y, x) if "apply" in more else torch.allclose(y, gate(x))
        assert torch.allclose(torch.autograd.grad(y, x, grad)[0], factor * grad)


def test_gate_ignores_other_samples_at_evaluation() -> None:
    x = torch.randn(2, 4, 3, 5, 5)
    for options in OPTIONS:
        gate = bt.Agmm(2, 3, **options)
        gate(x)
        gate.eval()
        assert torch.allclose(gate(x)[:, :1], gate(x[:, :1]), atol=1e-6), options


@pytest.mark.parametrize("pool, width", [("chw", 1), ("hw", 3), ("nchw", 1)])
@pytest.mark.parametrize("inside", [False, True])
def test_running_means_are_the_gate_at_evaluation(pool, width, inside) -> None:
    gate = bt.Agmm(2, 3, pool=pool, eval_gate="ema", alpha_inside=inside, ema_momentum=0.25)
    x = torch.randn(2, 4, 3, 5, 5) + 1
    gate(x)
    gate(x + 1)
    axes = (1, 3, 4) if pool == "hw" else (1, 2, 3, 4)
    mean = x.mean(dim=axes).reshape(2, width)
    kept = 0.75 * 0.25 * mean + 0.25 * (mean + 1)
    assert torch.allclose(gate.running_means, kept, atol=1e-6)
    nn.init.normal_(gate.alpha)
    factor = torch.sigmoid(gate.alpha * kept) if inside else gate.alpha * torch.sigmoid(kept)
    gate.eval()
    assert torch.allclose(gate(x), factor.view(2, 1, width, 1, 1) * x, atol=1e-6)
    assert "running_means" in gate.state_dict()


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_surrogates_integrate_to_one_and_are_even(surrogate) -> None:
    for width in (0.5, WIDTHS[surrogate], 7.0):
        v = torch.linspace(-2000, 2000, 8_000_001, dtype=torch.float64)
        h = surrogate_derivative(v, surrogate, width)
        assert abs(torch.trapezoid(h, v).item() - 1) < 2e-3
        assert torch.allclose(h, h.flip(0), atol=1e-12) and (h >= 0).all()


# What a surrogate is the derivative of.
SMOOTH = {
    "sigmoid": lambda v, k: torch.sigmoid(k * v),
    "atan": lambda v, k: torch.atan(torch.pi / 2 * k * v) / torch.pi + 0.5,
    "triangle": lambda v, k: torch.where(v < 0, (v / k + 1).clamp(min=0) ** 2 / 2, 1 - (1 - v / k).clamp(min=0) ** 2 / 2),
    "rectangle": lambda v, k: (v / k + 0.5).clamp(0, 1),
}


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_surrogates_are_the_slopes_of_smooth_spikes(surrogate) -> None:
    v = double(200)
    k = WIDTHS[surrogate]
    assert torch.autograd.gradcheck(lambda v: SMOOTH[surrogate](v, k), v)
    (slope,) = torch.autograd.grad(SMOOTH[surrogate](v, k).sum(), v)
    (found,) = torch.autograd.grad(bt.spike(v, surrogate).sum(), v)
    assert torch.allclose(found, slope)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_gradients_of_neurons_below_the_threshold(surrogate, reset) -> None:
    # Where nothing spikes the potential is a smooth function of the current and of λ: exact gradients exist.
    x = (double(4, 3) * 0.1).detach().requires_grad_()
    decay = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)

    def potentials(x: Tensor, decay: Tensor) -> Tensor:
        spikes, u = bt.lif(x, decay, 1.0, reset, True, surrogate)
        assert not spikes.any()
        return u

    assert torch.autograd.gradcheck(potentials, (x, decay))


@pytest.mark.parametrize("make", [bt.LIF, bt.IF, bt.PLIF])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_neurons_follow_their_equation(make, reset) -> None:
    layer = make(reset=reset, v_threshold=0.7)
    decay = float(torch.as_tensor(layer.decay()).detach())
    x = torch.randn(6, 2, 3)
    u, out = torch.zeros(2, 3), []
    for t in range(6):
        u = decay * u + x[t]
        s = (u >= 0.7).float()
        out.append(s)
        u = u - 0.7 * s if reset == "soft" else u * (1 - s)
    assert torch.equal(layer(x), torch.stack(out))


def test_plif_learns_its_leak() -> None:
    layer = bt.PLIF()
    layer(torch.rand(4, 2, 5)).sum().backward()
    assert layer.decay_logit.grad is not None and layer.decay_logit.grad.abs() > 0


def test_losses() -> None:
    logits, labels = double(3, 4, 5), torch.tensor([0, 4, 2, 1])
    assert torch.autograd.gradcheck(lambda x: bt.tet_loss(x, labels, 0.1), logits)
    assert torch.autograd.gradcheck(lambda x: bt.mean_output_loss(x, labels), logits)
    soft = F.one_hot(labels, 5).double()
    assert torch.allclose(bt.tet_loss(logits, soft), bt.tet_loss(logits, labels))
    steps = torch.stack([F.cross_entropy(step, labels) for step in logits])
    assert torch.allclose(bt.tet_loss(logits, labels), steps.mean())


f32, f64, i64 = torch.float32, torch.float64, torch.int64


@pytest.mark.parametrize(
    "layer, shape, dtype",
    [
        (bt.BinaryConv2d(3, 4, 3), (2, 1, 4, 5, 5), f32),
        (bt.BinaryConv2d(3, 4, 3), (3, 5, 5), f32),
        (bt.BinaryConv2d(3, 4, 3), (2, 1, 3, 5, 5), f64),
        (bt.BinaryConv2d(3, 4, 3), (2, 1, 3, 5, 5), i64),
        (bt.BinaryConv2d(3, 4, 3), (2, 1, 3, 2, 5), f32),
        (bt.BinaryConv1d(3, 4, 3), (2, 1, 4, 5), f32),
        (bt.BinaryConv1d(3, 4, 3), (2, 1, 3, 5, 5), f32),
        (bt.BinaryLinear(3, 4), (2, 1, 5), f32),
        (bt.BinaryLinear(3, 4), (2, 1, 3), f64),
        (bt.TimeBatchNorm(3), (2, 1, 4, 5, 5), f32),
        (bt.TimeBatchNorm(3), (2, 3), f32),
        (bt.Agmm(2, 3), (3, 1, 3, 5, 5), f32),
        (bt.Agmm(2, 3), (2, 1, 4, 5, 5), f32),
        (bt.Agmm(2), (2, 3), f32),
        (bt.Agmm(2), (2, 1, 3, 5, 5), i64),
        (bt.Agmm(2, pool="hw"), (2, 1, 3), f32),
        (bt.LIF(), (3,), f32),
        (bt.LIF(), (0, 3), f32),
        (bt.LIF(), (2, 3), i64),
        (bt.TimeDistributed(nn.Linear(3, 2)), (3, 3), f32),
    ],
    ids=str,
)
def test_wrong_shapes_are_named(layer, shape, dtype) -> None:
    bt.label_layers(nn.ModuleDict({"place": layer}))
    with pytest.raises(bt.InputError) as error:
        layer(torch.zeros(shape, dtype=dtype))
    text = str(error.value)
    assert text.startswith(f"place: {type(layer).__name__}(") and "expected" in text
    assert f"found {str(dtype).removeprefix('torch.')} {list(shape)}" in text


@pytest.mark.parametrize("loss", [bt.tet_loss, bt.mean_output_loss])
@pytest.mark.parametrize(
    "logits, labels", [((2, 3), (3,)), ((2, 3, 4), (2,)), ((2, 3, 4), (3, 1))]
)
def test_wrong_shapes_of_losses(loss, logits, labels) -> None:
    with pytest.raises(bt.InputError, match=loss.__name__):
        loss(torch.zeros(logits), torch.zeros(labels, dtype=i64))


@pytest.mark.parametrize(
    "make, key",
    [
        (lambda: bt.BinaryConv2d(3, 4, 3, scale="mean"), "scale"),
        (lambda: bt.BinaryConv2d(3, 4, 3, groups=2), "groups"),
        (lambda: bt.BinaryLinear(0, 4), "sizes"),
        (lambda: bt.Agmm(0), "steps"),
        (lambda: bt.Agmm(2, pool="all"), "pool"),
        (lambda: bt.Agmm(2, alpha="step-channel"), "channels"),
        (lambda: bt.Agmm(2, pool="hw", eval_gate="ema"), "channels"),
        (lambda: bt.Agmm(2, pool="none", eval_gate="ema"), "eval_gate"),
        (lambda: bt.Agmm(2, pool="const", alpha_inside=True), "alpha_inside"),
        (lambda: bt.LIF(tau=0.5), "tau"),
        (lambda: bt.LIF(v_threshold=0.0), "v_threshold"),
        (lambda: bt.LIF(width=-1.0), "width"),
        (lambda: bt.LIF(surrogate="box"), "surrogate"),
        (lambda: bt.IF(reset="none"), "reset"),
        (lambda: bt.FlipTracker(nn.Linear(2, 2)), "binary layers"),
        (lambda: bt.TBSO([nn.Parameter(torch.ones(2))], 0), "steps"),
        (lambda: bt.TBSO([nn.Parameter(torch.ones(2))], 2).at(2), "t"),
    ],
)
def test_wrong_settings_are_named(make, key) -> None:
    with pytest.raises(ValueError, match=key):
        make()
