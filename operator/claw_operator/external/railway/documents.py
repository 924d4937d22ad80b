"""Everything that the driver says to Railway: one named GraphQL operation each. Pure.

All of them are validated against Railway's own schema in the tests. Two things are never said.
`serviceInstanceRedeploy` replays the last deployment, with its old image and its old variables. And a selection of
`project.services` shows husks of services that are half deleted; `environment.serviceInstances` has what really runs.
"""

from collections.abc import Mapping
from types import MappingProxyType

PAGE = 100
"""Services in one page of the fleet; Railway gives no more."""

_DEPLOYMENT = "id status serviceId createdAt deploymentStopped instances { status }"

_DOCUMENTS = {
    "ProjectToken": """
        query ProjectToken { projectToken { projectId environmentId } }
    """,
    "ProjectEnvironments": """
        query ProjectEnvironments($projectId: String!) {
          project(id: $projectId) {
            environments(first: 100) { edges { node { id name isEphemeral deletedAt } } pageInfo { hasNextPage } }
          }
        }
    """,
    # `config` comes whole with every page, so only the first one asks for it.
    "Fleet": """
        query Fleet($projectId: String!, $environmentId: String!, $first: Int!, $after: String, $withConfig: Boolean!) {
          environment(id: $environmentId, projectId: $projectId) {
            config(decryptVariables: true) @include(if: $withConfig)
            serviceInstances(first: $first, after: $after) {
              edges {
                node {
                  serviceId
                  serviceName
                  deletedAt
                  source { image repo }
                  region
                  numReplicas
                  sleepApplication
                  healthcheckPath
                  restartPolicyType
                  restartPolicyMaxRetries
                  latestDeployment { DEPLOYMENT }
                  activeDeployments { id status }
                  domains {
                    serviceDomains { id domain }
                    customDomains {
                      id
                      domain
                      status { verified dnsRecords { recordType hostlabel requiredValue status } }
                    }
                  }
                }
              }
              pageInfo { hasNextPage endCursor }
            }
          }
        }
    """.replace("DEPLOYMENT", _DEPLOYMENT),
    "Deployments": """
        query Deployments($projectId: String!, $environmentId: String!, $first: Int!) {
          deployments(input: { projectId: $projectId, environmentId: $environmentId }, first: $first) {
            edges { node { DEPLOYMENT } }
          }
        }
    """.replace("DEPLOYMENT", _DEPLOYMENT),
    "ServiceDomains": """
        query ServiceDomains($projectId: String!, $environmentId: String!, $serviceId: String!) {
          domains(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId) {
            serviceDomains { id domain }
            customDomains {
              id
              domain
              status { verified dnsRecords { recordType hostlabel requiredValue status } }
            }
          }
        }
    """,
    "BuildLogs": """
        query BuildLogs($deploymentId: String!, $limit: Int!) {
          buildLogs(deploymentId: $deploymentId, limit: $limit) { message severity }
        }
    """,
    "DeploymentLogs": """
        query DeploymentLogs($deploymentId: String!, $limit: Int!) {
          deploymentLogs(deploymentId: $deploymentId, limit: $limit) { message severity }
        }
    """,
    "CreateService": """
        mutation CreateService($input: ServiceCreateInput!) { serviceCreate(input: $input) { id name } }
    """,
    "RenameService": """
        mutation RenameService($id: String!, $name: String!) { serviceUpdate(id: $id, input: { name: $name }) { id } }
    """,
    "DeleteService": """
        mutation DeleteService($id: String!, $environmentId: String) {
          serviceDelete(id: $id, environmentId: $environmentId)
        }
    """,
    "CreateServiceDomain": """
        mutation CreateServiceDomain($input: ServiceDomainCreateInput!) {
          serviceDomainCreate(input: $input) { id domain }
        }
    """,
    "CreateCustomDomain": """
        mutation CreateCustomDomain($input: CustomDomainCreateInput!) {
          customDomainCreate(input: $input) {
            id
            domain
            status { verified dnsRecords { recordType hostlabel requiredValue status } }
          }
        }
    """,
    "DeleteCustomDomain": """
        mutation DeleteCustomDomain($id: String!) { customDomainDelete(id: $id) }
    """,
    "ConnectRepository": """
        mutation ConnectRepository($id: String!, $repo: String!, $branch: String!) {
          serviceConnect(id: $id, input: { repo: $repo, branch: $branch }) { id }
        }
    """,
    "WriteSettings": """
        mutation WriteSettings(
          $variables: VariableCollectionUpsertInput!
          $serviceId: String!
          $environmentId: String!
          $instance: ServiceInstanceUpdateInput!
          $limits: ServiceInstanceLimitsUpdateInput!
        ) {
          variables: variableCollectionUpsert(input: $variables)
          instance: serviceInstanceUpdate(serviceId: $serviceId, environmentId: $environmentId, input: $instance)
          limits: serviceInstanceLimitsUpdate(input: $limits)
        }
    """,
    "WriteVariables": """
        mutation WriteVariables($variables: VariableCollectionUpsertInput!) {
          variables: variableCollectionUpsert(input: $variables)
        }
    """,
    "WriteLimits": """
        mutation WriteLimits(
          $limits: ServiceInstanceLimitsUpdateInput!
          $variables: VariableCollectionUpsertInput!
        ) {
          limits: serviceInstanceLimitsUpdate(input: $limits)
          variables: variableCollectionUpsert(input: $variables)
        }
    """,
    "Deploy": """
        mutation Deploy($serviceId: String!, $environmentId: String!) {
          serviceInstanceDeployV2(serviceId: $serviceId, environmentId: $environmentId)
        }
    """,
    "RemoveDeployment": """
        mutation RemoveDeployment($id: String!) { deploymentRemove(id: $id) }
    """,
}

DOCUMENTS: Mapping[str, str] = MappingProxyType(_DOCUMENTS)
"""Name of the operation -> its document."""
