"""A user's VQ-VAE file, made by the test in the published layout: names, shapes, refusals."""

import pickle
from pathlib import Path

import pytest
import torch

from pasdedeux.nn import jukebox
from pasdedeux.nn.conv import ConvConfig

DOWNS = (3, 2, 2)
CHANNELS, WIDTH, UNITS, CODES = 3, 5, 2, 13
SMALL = ConvConfig(((2, 2, 2), (2, 2), (2, 2)), channels=CHANNELS, width=WIDTH, units=UNITS)


def _block(side, level, i, sizes):
    """Names and shapes of the convolutions of one block, written down from their description."""
    channels, width, units = sizes
    name, down = f"{side}.{level}.level_blocks.{i}.model", DOWNS[i]
    stages = [f"{name}.{j}" if side == "encoders" else f"{name}.{j + 1}" for j in range(down)]
    for j, stage in enumerate(stages):
        if side == "encoders":
            yield f"{stage}.0", (channels, channels if j else (width if i else 1), 4)
        else:
            yield f"{stage}.1", (channels, width if j == down - 1 else channels, 4)
        for r in range(units):
            unit = f"{stage}.{1 if side == 'encoders' else 0}.model.{r}.model"
            yield f"{unit}.1", (channels, channels, 3)
            yield f"{unit}.3", (channels, channels, 1)
    if side == "encoders":
        yield f"{name}.{down}", (width, channels, 3)
    else:
        yield f"{name}.0", (channels, width, 3)


def published(channels=32, width=64, units=4, codes=2048):
    """Tensors with the names and shapes of the public file."""
    draw, state = torch.Generator().manual_seed(0), {}
    for level in range(3):
        blocks = [(side, i) for side in ("encoders", "decoders") for i in range(level + 1)]
        sizes = channels, width, units
        shapes = [pair for side, i in blocks for pair in _block(side, level, i, sizes)]
        for name, shape in [*shapes, (f"decoders.{level}.out", (1, width, 3))]:
            transposed = name.startswith("decoders") and shape[2] == 4
            state[f"{name}.weight"] = torch.randn(shape, generator=draw)
            state[f"{name}.bias"] = torch.randn(shape[int(transposed)], generator=draw)
        state[f"bottleneck.level_blocks.{level}.k"] = torch.randn(codes, width, generator=draw)
    return state


def small():
    return published(CHANNELS, WIDTH, UNITS, CODES)


def taken(state):
    return jukebox.taken(state, "mine.pth", config=SMALL, codes=CODES)


def test_the_published_layout_has_the_published_number_of_tensors():
    state = published()
    assert sum(key.startswith("encoders.2.") for key in state) == 132
    assert sum(key.startswith("decoders.2.") for key in state) == 134
    assert state["encoders.2.level_blocks.0.model.0.0.weight"].shape == (32, 1, 4)
    assert state["decoders.2.level_blocks.0.model.3.1.weight"].shape == (32, 64, 4)


@pytest.mark.parametrize("layout", ["public", "bare", "parallel"])
def test_every_layout_gives_the_top_level(tmp_path, layout):
    state = published()
    content = {
        "public": {"model": state, "step": 7},
        "bare": state,
        "parallel": {"model": {f"module.{key}": value for key, value in state.items()}},
    }[layout]
    torch.save(content, tmp_path / "vqvae.pth.tar")
    level = jukebox.read(tmp_path / "vqvae.pth.tar")
    assert torch.equal(level.codebook, state["bottleneck.level_blocks.2.k"])
    encoder, decoder = level.encoder.blocks, level.decoder.blocks
    name = "level_blocks.1.model"
    assert torch.equal(
        encoder[1][0][1][3][1].weight, state[f"encoders.2.{name}.0.1.model.3.model.1.weight"]
    )
    assert torch.equal(encoder[1][2].bias, state[f"encoders.2.{name}.2.bias"])
    assert torch.equal(decoder[1][2][1].weight, state[f"decoders.2.{name}.2.1.weight"])
    assert torch.equal(
        decoder[1][1][0][0][3].weight, state[f"decoders.2.{name}.1.0.model.0.model.3.weight"]
    )
    assert torch.equal(level.decoder.out.bias, state["decoders.2.out.bias"])


def test_every_tensor_of_the_level_is_used_once():
    state = small()
    level = taken(state)
    held = [*level.encoder.state_dict().values(), *level.decoder.state_dict().values()]
    held.append(level.codebook)
    wanted = [value for key, value in state.items() if jukebox.FAMILY.match(key).group(1) == "2"]
    assert sorted(float(v.double().sum()) for v in held) == sorted(
        float(v.double().sum()) for v in wanted
    )


def test_the_network_is_the_one_described():
    """The first stage of the encoder by hand, from the tensors of the file."""
    state = small()
    sound = torch.randn(2, 256, generator=torch.Generator().manual_seed(3))
    level = taken(state)
    name = "encoders.2.level_blocks.0.model.0"
    x = torch.conv1d(
        sound[:, None], state[f"{name}.0.weight"], state[f"{name}.0.bias"], stride=2, padding=1
    )
    for r, dilation in enumerate((1, 3)):
        unit = f"{name}.1.model.{r}.model"
        inner = torch.conv1d(
            x.relu(), state[f"{unit}.1.weight"], state[f"{unit}.1.bias"],
            padding=dilation, dilation=dilation,
        )  # fmt: skip
        x = x + torch.conv1d(inner.relu(), state[f"{unit}.3.weight"], state[f"{unit}.3.bias"])
    assert torch.allclose(level.encoder.blocks[0][0](sound[:, None]), x, atol=1e-4)


def test_a_missing_tensor_is_named():
    state = small()
    del state["decoders.2.level_blocks.1.model.2.0.model.1.model.3.bias"]
    with pytest.raises(ValueError, match=r"mine.pth, level 2: 1 tensors are missing: decoder.bl"):
        taken(state)
    del state["bottleneck.level_blocks.2.k"]
    with pytest.raises(ValueError, match=r"2 tensors are missing: codebook"):
        taken(state)


def test_an_extra_tensor_is_named():
    state = small()
    state["encoders.2.level_blocks.3.model.0.weight"] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"1 tensors have no place: encoder.blocks.3.0.weight"):
        taken(state)
    del state["encoders.2.level_blocks.3.model.0.weight"]
    state["prior.weight"] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"nothing is known of prior.weight"):
        taken(state)


def test_a_model_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"must have shape \(32, 1, 4\), got \(3, 1, 4\)"):
        jukebox.taken(published(channels=3), "mine.pth")
    state = small()
    state["bottleneck.level_blocks.2.k"] = torch.zeros(CODES + 1, WIDTH)
    with pytest.raises(ValueError, match=r"codebook must have shape \(13, 5\), got \(14, 5\)"):
        taken(state)


def test_a_weight_that_is_no_number_is_refused():
    state = small()
    state["encoders.2.level_blocks.0.model.0.0.bias"][1] = float("nan")
    with pytest.raises(ValueError, match=r"encoder.blocks.0.0.0.bias is not finite"):
        taken(state)


def test_a_file_without_the_level_is_refused():
    state = {key: value for key, value in small().items() if jukebox.FAMILY.match(key)[1] != "2"}
    with pytest.raises(ValueError, match=r"mine.pth has no level 2"):
        taken(state)


class Hostile:
    """Touches a file when a pickle of it is opened by a reader that runs what it reads."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path):
    sign, file = tmp_path / "it-ran", tmp_path / "vqvae.pth.tar"
    torch.save({"model": small(), "hps": Hostile(sign)}, file)
    with pytest.raises(ValueError, match=r"vqvae.pth.tar is damaged, or holds more than tensors"):
        jukebox.read(file, config=SMALL, codes=CODES)
    assert not sign.exists()
    torch.load(file, weights_only=False)
    assert sign.exists(), "the file was not hostile"


def test_files_that_are_no_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a file"):
        jukebox.read(tmp_path / "absent.pth")
    file = tmp_path / "vqvae.pth"
    torch.save(small(), file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match="vqvae.pth is"):
        jukebox.read(file)
    for content in (b"", b"not a model at all", pickle.dumps([1, 2])):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="vqvae.pth"):
            jukebox.read(file)
    for content in ([torch.zeros(2)], {"model": 3}, {"encoders.2.x": "text"}, {}):
        torch.save(content, file)
        with pytest.raises(ValueError, match="vqvae.pth"):
            jukebox.read(file)
