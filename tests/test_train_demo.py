"""Training learns: a short version of `make train-demo`."""

from tests import train_demo


def test_the_held_out_loss_falls(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_demo, "FOLDER", tmp_path)
    monkeypatch.setattr(train_demo, "FACTOR", 3.0)
    config = tmp_path / "small.yml"
    text = train_demo.CONFIG.read_text().replace(
        "c9s1-16,d32,d64,R64,R64,R64,R64,R64,u32,u16,c9s1-3", "c9s1-8,d16,d32,R32,R32,u16,u8,c9s1-3"
    )
    for old, new in (
        ("../vgg_models", str(train_demo.ROOT / "vgg_models")),
        (" images/", f" {train_demo.ROOT / 'configs' / 'images'}/"),
        ("../out/train_demo", str(tmp_path)),
        ("num_iterations: 900", "num_iterations: 60"),
        ("checkpoint_every: 300", "checkpoint_every: 60\nthreads: 1"),
        ("sample_every: 300", "sample_every: 60"),
    ):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    monkeypatch.setattr(train_demo, "CONFIG", config)
    assert train_demo.main() == 0
    assert "times less" in capsys.readouterr().out
    for name in ("swirls.onnx", "swirls.safetensors", "swirls_sample_60.png", "losses.png", "losses.csv"):
        assert (tmp_path / name).stat().st_size > 1000
