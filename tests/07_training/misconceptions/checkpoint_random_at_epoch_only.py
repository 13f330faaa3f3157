"""The epoch is opened anew, so the state at its beginning is enough."""
# loses: test-checkpoint-state, test-module-training

# %% checkpoint-state
#| export
def checkpoint_state(trainer):
    stopping, loader = trainer.stopping, trainer.batches
    return {
        "model": trainer.model.state_dict(),
        "best": trainer.best,
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": trainer.scheduler.state_dict() if trainer.scheduler else None,
        "stopping": [stopping.best, stopping.waited] if stopping else None,
        "history": trainer.history,
        "epoch": trainer.epoch,
        "batch": trainer.batch,
        "random": trainer.random_at_epoch or generator().bit_generator.state,
        "random_at_epoch": trainer.random_at_epoch,
        "loader": loader.state_dict() if hasattr(loader, "state_dict") else None,
    }
