import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Say } from './stage.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('..', import.meta.url))

/** The generator and the peers are no part of Signet: they have a package of their own. */
export function installPeers(say: Say): void {
  const wanted = ['autocannon', 'oidc-provider', '@node-oauth/oauth2-server']
  if (wanted.every((name) => existsSync(`${here}node_modules/${name}/package.json`))) return
  say('Installing the load generator and the peers (npm ci in bench/)')
  npm(['ci', '--no-audit', '--no-fund'], here)
}

export function build(say: Say): void {
  say('Building Signet')
  npm(['run', '--silent', 'build'], root)
}

function npm(args: readonly string[], cwd: string): void {
  const { npm_execpath: script } = process.env
  const [program, ...before] = script ? [process.execPath, script] : ['npm']
  execFileSync(program as string, [...before, ...args], {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
