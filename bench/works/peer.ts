import type { Child } from '../child.ts'
import { processesOf, type Setup, startBench, threads } from '../setup.ts'

export type PeerName = 'oidc-provider' | 'oauth2-server'

/** By what they are called in the report. */
export type Processes = Readonly<Record<string, number | undefined>>

export interface Peer {
  readonly name: string
  readonly child: Child
  /** Whose CPU time its work costs. */
  readonly processes: Processes
  readonly authorizeUrl: string
  readonly tokenUrl: string
  readonly jwksUrl: string
  readonly introspectionUrl: string
  readonly basic: string
  /** Refresh tokens of so many sessions. */
  seed(sessions: number): Promise<string[]>
  /** `Cookie` of so many browsers in which people are signed in. */
  seedBrowsers(browsers: number): Promise<string[]>
}

/** Another authorization server on the same work; with its state in memory, or in PostgreSQL. */
export async function openPeer(
  setup: Setup,
  program: PeerName,
  { onPostgres = false, people = 0 } = {},
): Promise<Peer> {
  const { stage } = setup
  const child = startBench(`peers/${program}.mjs`, threads)
  const databaseUrl = onPostgres
    ? await stage.createDatabase(`${program.replace('-', '_')}_${child.pid}`)
    : undefined
  const { port } = await child.ask<{ port: number }>({ databaseUrl, people })
  const url = `http://127.0.0.1:${port}`
  const paths =
    program === 'oidc-provider'
      ? ['/token', '/jwks', '/token/introspection', '/auth']
      : ['/token', '', '', '']
  const [token = '', jwks = '', introspection = '', authorize = ''] = paths.map(
    (path) => url + path,
  )
  return {
    name: program + (onPostgres ? ' on PostgreSQL' : ''),
    child,
    authorizeUrl: authorize,
    tokenUrl: token,
    jwksUrl: jwks,
    introspectionUrl: introspection,
    processes: onPostgres ? processesOf(setup, child) : { server: child.pid },
    basic: `Basic ${Buffer.from('app:the-secret-of-the-bench').toString('base64')}`,
    seed: (sessions) => child.ask<string[]>({ seed: sessions }),
    seedBrowsers: (browsers) => child.ask<string[]>({ seedBrowsers: browsers }),
  }
}
