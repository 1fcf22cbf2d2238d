"""The endpoints by which AWS, Google and Azure tell a workload who it is, on loopback, as their documentation has them.

One server plays them all. It is strict: who asks in another way than the documentation says is refused the way the
real one does it. `answers` overrules what is played, by path: an outage, a wrong answer, one that takes its time.
"""

import base64
import time
from collections.abc import Callable
from pathlib import Path

from kit.certificates import Certificates
from kit.local_server import Asked, LocalServer, Reply

SERVICE_ACCOUNT_TOKEN = "projected-token-of-the-service-account"
ROLE_ARN = "arn:aws:iam::123456789012:role/bundlewatch"
NODE_ROLE = "node-role"
_POD_TOKEN = "token-of-the-pod-identity-agent"
_IMDS_TOKEN = "session-token-of-imds"
_KEYS = {"AccessKeyId": "ASIAPLAYED", "SecretAccessKey": "played/secret+key", "Token": "played-session-token"}
_ENTRA_TOKEN = "played-entra-token"


class Clouds(LocalServer):
    """`username` and `password` are what ECR and Google hand out, `refresh_token` what a registry of Azure does."""

    def __init__(
        self,
        *,
        directory: Path,
        username: str = "AWS",
        password: str = "played-password",
        refresh_token: str = "played-refresh-token",
        tls: Certificates | None = None,
    ) -> None:
        self.username, self.password, self.refresh_token = username, password, refresh_token
        self.life_s = 43200.0
        self.answers: dict[str, Reply] = {}
        self.asked: list[Asked] = []
        self.on_asked: Callable[[], object] = lambda: None  # in a thread of the server
        self._directory = directory
        super().__init__(self.answer, tls=tls)

    # What the environment of a Pod says

    def irsa(self) -> dict[str, str]:
        return {
            "AWS_ROLE_ARN": ROLE_ARN,
            "AWS_WEB_IDENTITY_TOKEN_FILE": self._file("irsa", SERVICE_ACCOUNT_TOKEN),
            "AWS_ENDPOINT_URL_STS": f"{self.url}/sts/",
            "AWS_ENDPOINT_URL_ECR": f"{self.url}/ecr/",
            "AWS_ENDPOINT_URL_ECR_PUBLIC": f"{self.url}/ecr-public/",
            "AWS_REGION": "eu-west-1",
        }

    def pod_identity(self) -> dict[str, str]:
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self._file("pod-identity", _POD_TOKEN),
            "AWS_ENDPOINT_URL_ECR": f"{self.url}/ecr/",
        }

    def node_of_aws(self) -> dict[str, str]:
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url, "AWS_ENDPOINT_URL_ECR": f"{self.url}/ecr/"}

    def gcp(self) -> dict[str, str]:
        return {"GCE_METADATA_HOST": self.host}

    def azure_workload(self) -> dict[str, str]:
        return {
            "AZURE_CLIENT_ID": "client-1",
            "AZURE_TENANT_ID": "tenant-1",
            "AZURE_FEDERATED_TOKEN_FILE": self._file("azure", SERVICE_ACCOUNT_TOKEN),
            "AZURE_AUTHORITY_HOST": f"{self.url}/",
        }

    def azure_node(self) -> dict[str, str]:
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url}

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def _file(self, name: str, content: str) -> str:
        path = self._directory / f"{name}-token"
        path.write_text(f"{content}\n")
        return str(path)

    # What they answer

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        self.on_asked()
        told = self.answers.get(asked.path)
        if told is not None:
            return told
        play = {
            "/sts/": self._sts,
            "/v1/credentials": self._agent,
            "/latest/api/token": self._imds_token,
            "/latest/meta-data/iam/security-credentials/": self._imds,
            f"/latest/meta-data/iam/security-credentials/{NODE_ROLE}": self._imds,
            "/ecr/": self._ecr,
            "/ecr-public/": self._ecr,
            "/computeMetadata/v1/instance/service-accounts/default/token": self._gce,
            "/tenant-1/oauth2/v2.0/token": self._entra,
            "/metadata/identity/oauth2/token": self._azure_imds,
            "/oauth2/exchange": self._exchange,
        }.get(asked.path)
        return play(asked) if play is not None else Reply(404)

    def _sts(self, asked: Asked) -> Reply:
        wanted = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE_ARN,
            "RoleSessionName": "bundlewatch",
            "WebIdentityToken": SERVICE_ACCOUNT_TOKEN,
        }
        if asked.method != "POST" or asked.form != wanted or "authorization" in asked.headers:
            return sts_error("InvalidIdentityToken", "the token is not what was expected", status=400)
        keys = {"AccessKeyId": _KEYS["AccessKeyId"], "SecretAccessKey": _KEYS["SecretAccessKey"]}
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in {**keys, "SessionToken": _KEYS["Token"]}.items())
        return Reply(
            body=(
                '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                f"<AssumeRoleWithWebIdentityResult><Credentials>{inner}<Expiration>2030-01-01T00:00:00Z</Expiration>"
                "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            ).encode(),
            headers={"Content-Type": "text/xml"},
        )

    def _agent(self, asked: Asked) -> Reply:
        if asked.method != "GET" or asked.headers.get("authorization") != _POD_TOKEN:
            return Reply.json({"message": "Service account token cannot be empty"}, status=400)
        return Reply.json({**_KEYS, "Expiration": "2030-01-01T00:00:00Z", "AccountId": "123456789012"})

    def _imds_token(self, asked: Asked) -> Reply:
        if asked.method != "PUT" or not asked.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
            return Reply(400)
        return Reply(body=_IMDS_TOKEN.encode())

    def _imds(self, asked: Asked) -> Reply:
        if asked.method != "GET" or asked.headers.get("x-aws-ec2-metadata-token") != _IMDS_TOKEN:
            return Reply(401)
        if not asked.path.endswith(NODE_ROLE):
            return Reply(body=NODE_ROLE.encode())
        return Reply.json({"Code": "Success", **_KEYS, "Expiration": "2030-01-01T00:00:00Z"})

    def _ecr(self, asked: Asked) -> Reply:
        public = asked.path == "/ecr-public/"
        target = "SpencerFrontendService" if public else "AmazonEC2ContainerRegistry_V20150921"
        scope = "/us-east-1/ecr-public/aws4_request" if public else "/eu-west-1/ecr/aws4_request"
        signature = asked.headers.get("authorization", "")
        if (
            asked.method != "POST"
            or asked.headers.get("x-amz-target") != f"{target}.GetAuthorizationToken"
            or asked.headers.get("content-type") != "application/x-amz-json-1.1"
            or asked.headers.get("x-amz-security-token") != _KEYS["Token"]
            or not signature.startswith(f"AWS4-HMAC-SHA256 Credential={_KEYS['AccessKeyId']}/")
            or scope not in signature
            or "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target" not in signature
        ):
            return Reply.json({"__type": "AccessDeniedException", "message": "not signed as it should be"}, status=400)
        token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        entry = {"authorizationToken": token, "expiresAt": time.time() + self.life_s}
        return Reply.json({"authorizationData": entry if public else [entry]})

    def _gce(self, asked: Asked) -> Reply:
        if asked.method != "GET" or asked.headers.get("metadata-flavor") != "Google":
            return Reply(403, b"Missing Metadata-Flavor:Google header.")
        document = {"access_token": self.password, "expires_in": self.life_s, "token_type": "Bearer"}
        return Reply.json(document, Metadata_Flavor="Google")

    def _entra(self, asked: Asked) -> Reply:
        wanted = {
            "grant_type": "client_credentials",
            "client_id": "client-1",
            "scope": "https://containerregistry.azure.net/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": SERVICE_ACCOUNT_TOKEN,
        }
        if asked.method != "POST" or asked.form != wanted:
            return Reply.json({"error": "invalid_client", "error_description": "AADSTS70021: no match"}, status=401)
        return Reply.json({"token_type": "Bearer", "expires_in": 3599, "access_token": _ENTRA_TOKEN})

    def _azure_imds(self, asked: Asked) -> Reply:
        wanted = {"api-version": "2018-02-01", "resource": "https://containerregistry.azure.net"}
        if asked.method != "GET" or asked.headers.get("metadata") != "true" or asked.query != wanted:
            return Reply.json({"error": "invalid_request", "error_description": "Identity not found"}, status=400)
        return Reply.json({"access_token": _ENTRA_TOKEN, "expires_in": "86400", "resource": wanted["resource"]})

    def _exchange(self, asked: Asked) -> Reply:
        form = asked.form
        form.pop("tenant", None)
        if form != {"grant_type": "access_token", "service": self.host, "access_token": _ENTRA_TOKEN}:
            return Reply.json({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}, status=401)
        return Reply.json({"refresh_token": self.refresh_token})


def sts_error(code: str, message: str, *, status: int) -> Reply:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, f"{body}<RequestId>6e2f</RequestId></ErrorResponse>".encode(), {"Content-Type": "text/xml"})
