import { execFile } from 'node:child_process'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { parseAllDocuments } from 'yaml'
import { readConfig } from '../../src/config/config.ts'
import { fileVariables } from '../../src/config/secret-files.ts'
import { debianProgram } from '../../tools/debian-program.ts'
import { production } from '../../tools/fixtures.ts'
import { emptyFolder } from '../support/server/signet.ts'
import { type Manifest, problemsOf } from './kubernetes-schemas.ts'

/** Values as an operator writes them in the place of the placeholders. */
const values: Readonly<Record<string, string>> = {
  REPLACE_IMAGE: 'registry.acme.test/signet',
  REPLACE_TAG: '0.3.0',
  REPLACE_HOST: 'login.acme.test',
  REPLACE_PROXY: '10.1.2.0/24',
  REPLACE_INGRESS_CLASS: 'haproxy',
  REPLACE_INGRESS_NAMESPACE: 'ingress',
  REPLACE_MONITORING_NAMESPACE: 'monitoring',
  REPLACE_STORES_NETWORK: '10.2.0.0/24',
}

/** The manifests of an overlay, as kubectl applies them. */
async function rendered(t: ExecutionContext<unknown>, overlay: string): Promise<Manifest[]> {
  const folder = await emptyFolder(t)
  await cp('deploy/kubernetes', folder, { recursive: true })
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    let text = await readFile(path, 'utf8')
    for (const [name, value] of Object.entries(values)) text = text.replaceAll(name, value)
    await writeFile(path, text)
  }
  const args = ['kustomize', join(folder, 'production', overlay)]
  const { stdout } = await promisify(execFile)(debianProgram('kubectl'), args)
  t.notRegex(stdout, /REPLACE_/)
  return parseAllDocuments(stdout).map((document) => document.toJS())
}

const only = (manifests: readonly Manifest[], kind: string): Manifest => {
  const found = manifests.filter((one) => one.kind === kind)
  if (found.length !== 1) throw new Error(`${found.length} × ${kind}`)
  return found[0]
}

const environmentOf = (container: Manifest): Record<string, string> =>
  Object.fromEntries(container.env.map(({ name, value }: Manifest) => [name, value]))

for (const overlay of ['server', 'migrate']) {
  test(`the ${overlay} overlay → follows the schemas of Kubernetes, without unknown fields`, async (t) => {
    const manifests = await rendered(t, overlay)
    t.true(manifests.length >= (overlay === 'server' ? 9 : 2))
    for (const one of manifests) t.deepEqual(problemsOf(one), [], one.kind)
  })

  test(`the ${overlay} overlay → its pods keep the restricted pod security standard, and no secret is a variable`, async (t) => {
    const manifests = await rendered(t, overlay)
    const { spec } = only(manifests, overlay === 'server' ? 'Deployment' : 'Job').spec.template
    const [container] = spec.containers
    t.like(spec, { automountServiceAccountToken: false })
    t.like(spec.securityContext, { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 })
    t.is(spec.securityContext.seccompProfile.type, 'RuntimeDefault')
    t.like(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
    })
    t.deepEqual(container.securityContext.capabilities, { drop: ['ALL'] })

    const { secret } = spec.volumes.find(({ name }: Manifest) => name === 'secrets')
    t.is(secret.defaultMode, 0o440)
    const [mount] = container.volumeMounts
    const files = secret.items.map(({ path }: Manifest) => `${mount.mountPath}/${path}`)
    const environment = environmentOf(container)
    // A pod does not start without the keys of its secret, and few installations have this one.
    const required = fileVariables.filter((name) => name !== 'OTEL_EXPORTER_OTLP_HEADERS_FILE')
    t.deepEqual(
      required.map((name) => environment[name]),
      files,
    )
    const [{ configMapRef }] = container.envFrom
    t.is(configMapRef.name, only(manifests, 'ConfigMap').metadata.name)
    t.regex(container.image, /^registry\.acme\.test\/signet:0\.3\.0$/)
  })
}

test('a misspelled field, a wrong value and an unknown kind → each is found', async (t) => {
  const deployment = only(await rendered(t, 'server'), 'Deployment')
  deployment.spec.template.spec.containers[0].readynessProbe = {}
  t.deepEqual(problemsOf(deployment), [
    'unknown field spec.template.spec.containers.0.readynessProbe',
  ])
  deployment.spec.template.spec.containers = 'none'
  t.regex(problemsOf(deployment).join(), /containers must be array/)
  t.deepEqual(problemsOf({ apiVersion: 'apps/v1', kind: 'Deploiment' }), [
    'apps/v1 has no Deploiment',
  ])
})

test('the settings of the overlay → a configuration for production', async (t) => {
  const manifests = await rendered(t, 'server')
  const [container] = only(manifests, 'Deployment').spec.template.spec.containers
  const { ISSUER, MASTER_KEYS, ...secrets } = production(
    'postgres://db.internal/signet?sslmode=verify-full',
  )
  const open = Object.entries(environmentOf(container)).filter(
    ([name]) => !fileVariables.includes(name),
  )
  const config = readConfig({
    ...secrets,
    ...only(manifests, 'ConfigMap').data,
    ...Object.fromEntries(open),
  })
  t.is(config.issuer, 'https://login.acme.test')
  t.deepEqual(config.TRUSTED_PROXIES, ['10.1.2.0/24'])
  // The memory of the password checks, and that of a process at rest, are below the limit.
  const limit = Number.parseInt(container.resources.limits.memory, 10)
  t.true((config.PASSWORD_CONCURRENCY * config.ARGON2_MEMORY_KIB) / 1024 + 200 < limit)
})

test('a pod that ends → has longer than the server needs, and the probes ask the right paths', async (t) => {
  const { spec } = only(await rendered(t, 'server'), 'Deployment').spec.template
  const [container] = spec.containers
  const { SHUTDOWN_DELAY_SECONDS = '0' } = environmentOf(container)
  const { SHUTDOWN_SECONDS } = readConfig({})
  const { readinessProbe, livenessProbe, startupProbe } = container
  t.is(readinessProbe.httpGet.path, '/health/ready')
  t.is(livenessProbe.httpGet.path, '/health/live')
  t.is(startupProbe.httpGet.path, '/health/live')
  const noticed = readinessProbe.periodSeconds * readinessProbe.failureThreshold
  t.true(Number(SHUTDOWN_DELAY_SECONDS) > noticed)
  t.true(spec.terminationGracePeriodSeconds > Number(SHUTDOWN_DELAY_SECONDS) + SHUTDOWN_SECONDS)
})

test('the service, the budget, the autoscaler and the network policy → mean the pods of the deployment', async (t) => {
  const manifests = await rendered(t, 'server')
  const deployment = only(manifests, 'Deployment')
  const { labels } = deployment.spec.template.metadata
  const [container] = deployment.spec.template.spec.containers
  const service = only(manifests, 'Service')
  const budget = only(manifests, 'PodDisruptionBudget')
  const policy = only(manifests, 'NetworkPolicy')
  t.like(labels, service.spec.selector)
  t.like(labels, budget.spec.selector.matchLabels)
  t.like(labels, policy.spec.podSelector.matchLabels)
  t.like(labels, deployment.spec.selector.matchLabels)
  const { scaleTargetRef, minReplicas } = only(manifests, 'HorizontalPodAutoscaler').spec
  t.is(scaleTargetRef.name, deployment.metadata.name)
  t.true(minReplicas > budget.spec.maxUnavailable)
  const ports = container.ports.map(({ name }: Manifest) => name)
  t.true(ports.includes(service.spec.ports[0].targetPort))
  for (const { ports: allowed } of policy.spec.ingress) t.true(ports.includes(allowed[0].port))
  const { backend } = only(manifests, 'Ingress').spec.rules[0].http.paths[0]
  t.is(backend.service.name, service.metadata.name)
  t.is(backend.service.port.name, service.spec.ports[0].name)
  t.deepEqual(policy.spec.policyTypes, ['Ingress', 'Egress'])

  const job = only(await rendered(t, 'migrate'), 'Job')
  t.like(job.spec.template.metadata.labels, policy.spec.podSelector.matchLabels)
  t.false('app.kubernetes.io/name' in policy.spec.podSelector.matchLabels)
})
