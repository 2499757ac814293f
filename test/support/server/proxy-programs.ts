import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from '../../../src/stores/embedded/postmaster.ts'
import type { Authority } from '../../../tools/certificates.ts'
import { eventually } from '../../../tools/eventually.ts'
import { root } from '../../../tools/root.ts'
import type { Closing } from './closing.ts'

/** The system's own, which Debian's packages belong to, whatever else is on the PATH. */
export const nginx = '/usr/sbin/nginx'
export const haproxy = '/usr/sbin/haproxy'

/** A proxy of deploy/ that runs with its file, in which only the placeholders and the places are replaced. */
export interface FrontProxy {
  readonly url: string
  /** Where requests without TLS arrive. */
  readonly plainUrl: string
  /** Everything that it has logged about requests. */
  log(): Promise<string>
  /** The answer of the program to its file with a placeholder that is left. */
  refusal(): Promise<string>
}

export interface Scene {
  readonly folder: string
  readonly authority: Authority
  /** The ports of two instances or more. */
  readonly instances: readonly number[]
  readonly port: number
  readonly closing: Closing
}

/** An nginx that a drill disturbs. */
export interface Nginx extends FrontProxy {
  /** It reads its file again while it serves. */
  reload(): void
  /** Ends it at once, with the requests that it holds. */
  stop(): Promise<void>
  /** Starts it again. */
  start(): Promise<void>
}

export async function startNginx(scene: Scene): Promise<Nginx> {
  const { folder, authority, port, instances } = scene
  const { certificate, key } = authority.sign('nginx')
  const often = 'max_fails=1 fail_timeout=2s;'
  const second = `server REPLACE_INSTANCE_2:3000 ${often}`
  const plain = await freePort()
  const site = await deployed('nginx/signet.conf', scene, {
    REPLACE_HOST: 'localhost',
    [second]: [second, ...instances.slice(2).map((one) => `server 127.0.0.1:${one} ${often}`)].join(
      '\n',
    ),
    'listen 80;': `listen 127.0.0.1:${plain};`,
    'listen 443 ssl http2;': `listen 127.0.0.1:${port} ssl http2;`,
    'listen [::]:80;': '',
    'listen [::]:443 ssl http2;': '',
    '/etc/ssl/signet/fullchain.pem': certificate,
    '/etc/ssl/signet/privkey.pem': key,
    '/var/cache/nginx/signet': `${folder}/cache`,
    '/var/log/nginx/signet.log': `${folder}/access.log`,
  })
  const main = join(folder, 'nginx.conf')
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ')
  await writeFile(join(folder, 'site.conf'), site)
  await writeFile(
    main,
    `daemon off; pid ${folder}/nginx.pid; error_log stderr notice; events {}
     http { access_log off; ${paths} include ${folder}/site.conf; }`,
  )
  const args = ['-e', 'stderr', '-c', main]
  checked(nginx, [...args, '-t'])
  const { said, reload, stop, launch } = start(nginx, args, scene)
  const startAgain = async () => {
    launch()
    await answers(port, said)
  }
  await answers(port, said)
  const log = () => readFile(join(folder, 'access.log'), 'utf8')
  const refusal = async () => {
    await writeFile(join(folder, 'site.conf'), withPlaceholder(site, scene))
    return refused(nginx, [...args, '-t'])
  }
  const urls = { url: `https://localhost:${port}`, plainUrl: `http://localhost:${plain}` }
  return { ...urls, log, refusal, reload, stop, start: startAgain }
}

export async function startHaproxy(scene: Scene): Promise<FrontProxy> {
  const { folder, authority, port } = scene
  const plain = await freePort()
  const text = await deployed('haproxy/haproxy.cfg', scene, {
    'bind :80': `bind 127.0.0.1:${plain}`,
    'bind :443 ssl': `bind 127.0.0.1:${port} ssl`,
    '/etc/haproxy/certs/signet.pem': authority.sign('haproxy').both,
  })
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, text)
  checked(haproxy, ['-c', '-f', file])
  const { said } = start(haproxy, ['-db', '-f', file], scene)
  await answers(port, said)
  const log = async () => said()
  const refusal = async () => {
    await writeFile(file, withPlaceholder(text, scene))
    return refused(haproxy, ['-c', '-f', file])
  }
  const urls = { url: `https://localhost:${port}`, plainUrl: `http://localhost:${plain}` }
  return { ...urls, log, refusal }
}

const withPlaceholder = (text: string, { instances }: Scene): string =>
  text.replaceAll(`127.0.0.1:${instances[1]}`, 'REPLACE_INSTANCE_2:3000')

/** @throws Error when the program accepts its file */
function refused(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === 0) throw new Error(`${command} accepts a placeholder`)
  return stdout + stderr
}

/** A file of deploy/, in which each of these texts occurs. */
async function deployed(
  name: string,
  { instances }: Scene,
  replaced: Readonly<Record<string, string>>,
): Promise<string> {
  let text = await readFile(join(root, 'deploy', name), 'utf8')
  const all = Object.entries({
    ...replaced,
    'REPLACE_INSTANCE_1:3000': `127.0.0.1:${instances[0]}`,
    'REPLACE_INSTANCE_2:3000': `127.0.0.1:${instances[1]}`,
  })
  for (const [from, to] of all) {
    if (!text.includes(from)) throw new Error(`deploy/${name} has no ${from}`)
    text = text.replaceAll(from, to)
  }
  // A comment explains that they are to be replaced.
  const left = text.replaceAll('REPLACE_…', '').match(/REPLACE_\w+/)
  if (left) throw new Error(`deploy/${name} has a placeholder left: ${left[0]}`)
  return text
}

/** The proxy accepts its file without an error or a warning. */
function checked(command: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  const said = stdout + stderr
  if (status !== 0 || /warn|alert|emerg/i.test(said)) {
    throw new Error(`${command} ${args.join(' ')}: ${said}`)
  }
}

function start(command: string, args: readonly string[], { folder: cwd, closing }: Scene) {
  let said = ''
  const launch = () => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said += chunk
      })
    }
    process.once('exit', () => child.kill('SIGTERM'))
    running = child
  }
  let running: ChildProcess | undefined
  launch()
  const stop = async () => running && end(running)
  closing.add(stop)
  return { said: () => said, reload: () => void running?.kill('SIGHUP'), stop, launch }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

async function answers(port: number, said: () => string): Promise<void> {
  const isOpen = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  await eventually(isOpen, 'the proxy listens').catch((error) => {
    throw new Error(`${error.message}\n${said()}`)
  })
}

/** A folder that the user of a proxy, who is not root, may enter and write to. */
export async function openFolder(folder: string): Promise<string> {
  await mkdir(folder)
  await chmod(folder, 0o777)
  return folder
}
