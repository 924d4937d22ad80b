"""A wrong environment is told whole and at once; a right one is printed without its secrets."""

import os
from pathlib import Path

import pytest

from claw_crds.configuration import SHARED_VARIABLES
from claw_operator import settings as module
from claw_operator.__main__ import main
from claw_operator.settings import Settings

SECRETS = ("canary-model", "canary-database", "canary-railway", "canary-neon", "canary-registry")
OURS = ("CLAW_", "CLAWDBOT_", "RAILWAY_", "NEON_", "ANTHROPIC_", "KUBE", "HOST", "PORT", "NAMESPACE", "WORKERS")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Everything that is needed, and nothing else."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("")
    for name in [*os.environ]:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("CLAW_LOCAL_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("CLAW_POSTGRES_ADMIN_URL", "postgresql://admin:canary-database@db.example/postgres")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-model")
    return monkeypatch


@pytest.fixture
def clouds(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Everything that Railway and Neon need, and nothing of this machine's drivers."""
    environment.delenv("CLAW_LOCAL_DIRECTORY")
    environment.delenv("CLAW_POSTGRES_ADMIN_URL")
    environment.setenv("RAILWAY_TOKEN", "canary-railway")
    environment.setenv("RAILWAY_PROJECT_ID", "8c1d2b3a-project")
    environment.setenv("CLAWDBOT_REPO", "acme/clawdbot")
    environment.setenv("NEON_API_KEY", "canary-neon")
    environment.setenv("NEON_PROJECT_ID", "quiet-river-123456")
    return environment


def complaints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the start says before it ends, line by line."""
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    return [line.removeprefix("claw-operator: ") for line in shown.err.splitlines()]


def test_four_variables_are_enough(environment: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert (settings.namespace, settings.port, settings.compute_driver) == ("claw", 8081, "local")
    assert str(settings.model_base_url) == "https://api.anthropic.com/"


def test_no_secret_is_printed(environment: pytest.MonkeyPatch) -> None:
    settings = Settings()
    shown = f"{settings!r} {settings} {settings.model_dump(mode='json')} {settings.model_dump_json()}"
    assert not [secret for secret in SECRETS if secret in shown]
    assert settings.model_api_key.get_secret_value() == "canary-model"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KUBECONFIG", "/no/such/file"),
        ("CLAW_NAMESPACE", "Claw"),
        ("CLAW_NAMESPACE", "a" * 64),
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("CLAW_LOG_LEVEL", "loud"),
        ("CLAW_COMPUTE_DRIVER", "fargate"),
        ("CLAW_COMPUTE_DRIVER", "railway"),
        ("CLAW_DATABASE_DRIVER", "neon"),
        ("CLAW_POSTGRES_ADMIN_URL", "mysql://admin:canary-database@db.example"),
        ("CLAW_POSTGRES_ADMIN_URL", "canary-database"),
        ("ANTHROPIC_BASE_URL", "ftp://canary-model"),
        ("ANTHROPIC_BASE_URL", "https://user:canary-model@api.example"),
        ("CLAW_WORKERS", "0"),
        ("CLAW_RESYNC_SECONDS", "0"),
        ("CLAW_RESYNC_SECONDS", "nan"),
        ("CLAW_SHUTDOWN_SECONDS", "-1"),
        ("CLAW_SWEEP_SECONDS", "0"),
        ("CLAW_ORPHAN_GRACE_SECONDS", "-1"),
        ("CLAW_ORPHAN_DELETION", "perhaps"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not_repeated(
    variable: str, value: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv(variable, value)
    (line,) = complaints(capsys)
    assert line.startswith(f"{variable}: ")
    assert not [secret for secret in SECRETS if secret in line]


@pytest.mark.parametrize("variable", ["CLAW_LOCAL_DIRECTORY", "CLAW_POSTGRES_ADMIN_URL", "ANTHROPIC_API_KEY"])
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_missing_variable_is_named(
    variable: str, value: str | None, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if value is None:
        environment.delenv(variable)
    else:
        environment.setenv(variable, value)
    (line,) = complaints(capsys)
    assert line.startswith(f"{variable}: must be set")


def test_everything_that_is_wrong_is_told_at_once(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("KUBECONFIG")
    environment.delenv("ANTHROPIC_API_KEY")
    environment.setenv("PORT", "http")
    assert {line.split(":")[0] for line in complaints(capsys)} == {"KUBECONFIG", "ANTHROPIC_API_KEY", "PORT"}


def test_outside_of_a_cluster_nobodys_current_context_is_used(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment.delenv("KUBECONFIG")
    environment.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("somebody's production")
    (line,) = complaints(capsys)
    assert line.startswith("KUBECONFIG: ")


def test_inside_of_a_cluster_the_pods_own_account_is_enough(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("")
    environment.delenv("KUBECONFIG")
    environment.setattr(module, "_IN_CLUSTER", token)
    assert Settings().kubeconfig is None


def test_the_clouds_are_the_default_as_soon_as_their_tokens_are_there(clouds: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert (settings.compute_driver, settings.database_driver) == ("railway", "neon")
    assert str(settings.railway_api_url) == "https://backboard.railway.com/graphql/v2"
    assert str(settings.neon_api_url) == "https://console.neon.tech/api/v2"
    assert (settings.railway_token_kind, settings.clawdbot_ref, settings.neon_isolation) == (
        "workspace",
        "main",
        "branch",
    )


def test_a_fleet_may_have_all_drivers_and_choose(environment: pytest.MonkeyPatch, clouds: pytest.MonkeyPatch) -> None:
    clouds.setenv("CLAW_LOCAL_DIRECTORY", "instances")
    clouds.setenv("CLAW_COMPUTE_DRIVER", "local")
    settings = Settings()
    assert (settings.compute_driver, settings.database_driver) == ("local", "neon")
    assert settings.railway_token is not None


def test_no_secret_of_the_clouds_is_printed(clouds: pytest.MonkeyPatch) -> None:
    clouds.delenv("CLAWDBOT_REPO")
    clouds.setenv("CLAWDBOT_IMAGE", "registry.example/clawdbot:1")
    clouds.setenv("CLAWDBOT_REGISTRY_USERNAME", "robot")
    clouds.setenv("CLAWDBOT_REGISTRY_PASSWORD", "canary-registry")
    settings = Settings()
    shown = f"{settings!r} {settings} {settings.model_dump(mode='json')} {settings.model_dump_json()}"
    assert not [secret for secret in SECRETS if secret in shown]
    assert settings.clawdbot_registry_password is not None


@pytest.mark.parametrize(
    "variable", ["RAILWAY_PROJECT_ID", "NEON_PROJECT_ID", "CLAWDBOT_REPO", "RAILWAY_TOKEN", "NEON_API_KEY"]
)
def test_what_a_cloud_still_needs_is_named(
    variable: str, clouds: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clouds.delenv(variable)
    (line,) = complaints(capsys)
    assert "must be set" in line
    assert variable in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RAILWAY_API_URL", "ftp://railway.example"),
        ("RAILWAY_API_URL", "https://user:canary-railway@railway.example"),
        ("RAILWAY_TOKEN", " \n"),
        ("RAILWAY_TOKEN_KIND", "team"),
        ("RAILWAY_DOMAIN_SCHEME", "ssh"),
        ("RAILWAY_CALLS_PER_HOUR", "0"),
        ("RAILWAY_POLL_SECONDS", "0"),
        ("CLAWDBOT_REPO", "https://example.com/acme/clawdbot"),
        ("CLAWDBOT_IMAGE", "registry.example/clawdbot:1"),
        ("CLAWDBOT_REGISTRY_USERNAME", "robot"),
        ("CLAWDBOT_REGISTRY_PASSWORD", "canary-registry"),
        ("NEON_API_URL", "neon"),
        ("NEON_ISOLATION", "schema"),
        ("NEON_CALLS_PER_MINUTE", "many"),
    ],
)
def test_a_wrong_variable_of_a_cloud_is_named_and_its_value_is_not_repeated(
    variable: str, value: str, clouds: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clouds.setenv(variable, value)
    (line,) = complaints(capsys)
    assert variable in line or variable.startswith("CLAWDBOT_REGISTRY")
    assert not [secret for secret in SECRETS if secret in line]


def test_with_a_project_for_each_customer_no_project_is_named(clouds: pytest.MonkeyPatch) -> None:
    clouds.setenv("NEON_ISOLATION", "project")
    clouds.delenv("NEON_PROJECT_ID")
    assert Settings().neon_project_id is None


def test_a_token_from_a_file_may_end_with_a_line_end(clouds: pytest.MonkeyPatch) -> None:
    clouds.setenv("RAILWAY_TOKEN", "canary-railway\n")
    token = Settings().railway_token
    assert token is not None
    assert token.get_secret_value() == "canary-railway"


def test_only_the_named_variables_are_read(environment: pytest.MonkeyPatch) -> None:
    """A pod's environment is full of other people's variables."""
    environment.setenv("NAMESPACE", "kube-system")
    environment.setenv("WORKERS", "1")
    environment.setenv("MODEL_API_KEY", "stolen")
    settings = Settings()
    assert (settings.namespace, settings.workers) == ("claw", 100)
    assert settings.model_api_key.get_secret_value() == "canary-model"


SHARED = {
    "CLAW_FRONT_URL": "https://claw.example",
    "CLAW_GOOGLE_CLIENT_ID": "1.apps.example",
    "CLAW_GOOGLE_CLIENT_SECRET": "canary-google",
    "CLAW_GOOGLE_TOPIC": "projects/claw-1/topics/mail",
    "CLAW_GOOGLE_PUSH_ACCOUNT": "push@claw-1.iam.example",
    "CLAW_GOOGLE_URL": "http://127.0.0.1:9",
    "CLAW_SEARCH_URL": "https://search.example/v1",
    "CLAW_SEARCH_API_KEY": "canary-search",
    "CLAW_EMBEDDINGS_URL": "https://embeddings.example/v1",
    "CLAW_EMBEDDINGS_API_KEY": "canary-embeddings",
    "CLAW_EMBEDDINGS_MODEL": "small",
    "CLAW_SNAPSHOT_URL": "s3://copies/claw",
    "CLAW_SNAPSHOT_ENDPOINT": "https://s3.example",
    "CLAW_SNAPSHOT_ACCESS_KEY_ID": "id",
    "CLAW_SNAPSHOT_SECRET_ACCESS_KEY": "canary-snapshot",
}


def test_what_all_runtimes_share_is_handed_on_as_it_was_set(environment: pytest.MonkeyPatch) -> None:
    assert set(SHARED) == set(SHARED_VARIABLES)
    assert Settings().handed_on() == {}
    for name, value in SHARED.items():
        environment.setenv(name, value)

    settings = Settings()

    assert settings.handed_on() == SHARED
    assert not [value for value in SHARED.values() if value.startswith("canary") and value in repr(settings)]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLAW_FRONT_URL", "claw.example"),
        ("CLAW_GOOGLE_TOPIC", "mail"),
        ("CLAW_GOOGLE_PUSH_ACCOUNT", "push"),
        ("CLAW_SEARCH_URL", "https://user:canary-search@search.example"),
        ("CLAW_SNAPSHOT_URL", "https://copies.example"),
    ],
)
def test_what_no_runtime_could_use_ends_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    environment.setenv(variable, value)

    (line,) = complaints(capsys)

    assert line.startswith(f"{variable}: ")
    assert "canary" not in line
