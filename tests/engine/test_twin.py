import copy

import pytest
import torch

from ttrl.engine.companions import load_weights, trained_weights, twin
from ttrl.engine.models import adapt


def test_a_twin_has_equal_weights_of_its_own(random_model):
    made = twin(random_model)
    mine = dict(random_model.named_parameters())
    for name, parameter in made.named_parameters():
        assert torch.equal(parameter, mine[name]) and parameter.requires_grad
        assert parameter.data_ptr() != mine[name].data_ptr()
    with torch.no_grad():
        next(made.parameters()).add_(1.0)
    first = next(iter(mine))
    assert not torch.equal(dict(made.named_parameters())[first], mine[first])


def test_tied_weights_stay_tied(random_model):
    made = twin(random_model)
    tied = random_model.lm_head.weight is random_model.get_input_embeddings().weight
    assert (made.lm_head.weight is made.get_input_embeddings().weight) == tied


def test_under_an_adapter_frozen_weights_are_shared_and_the_adapter_is_its_own(embedded):
    adapted = adapt(copy.deepcopy(embedded.model), rank=2, seed=0)
    made = twin(adapted)
    mine = dict(adapted.named_parameters())
    assert made is not adapted
    for name, parameter in made.named_parameters():
        shared = parameter.data_ptr() == mine[name].data_ptr()
        assert shared == (not parameter.requires_grad) == ("lora_" not in name), name
        assert torch.equal(parameter, mine[name])
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.1)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert not torch.allclose(made(ids).logits, adapted(ids).logits, atol=1e-3)
        with made.disable_adapter():
            torch.testing.assert_close(made(ids).logits, embedded.model(ids).logits)


@pytest.mark.parametrize(
    "wrap", [lambda m: m, lambda m: adapt(m, rank=2, seed=0)], ids=["full", "lora"]
)
def test_trained_weights_come_back(embedded, wrap):
    model = wrap(copy.deepcopy(embedded.model))
    made, other = twin(model), twin(model)
    with torch.no_grad():
        for p in made.parameters():
            if p.requires_grad:
                p.add_(0.01)
    tensors = trained_weights(made)
    assert tensors.keys() == {n for n, p in model.named_parameters() if p.requires_grad}
    load_weights(other, tensors)
    expected = dict(made.named_parameters())
    assert all(torch.equal(p, expected[n]) for n, p in other.named_parameters())
    tensors.popitem()
    with pytest.raises(KeyError):
        load_weights(other, tensors)
