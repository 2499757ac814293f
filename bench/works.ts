import type { Pace } from './contest.ts'
import type { OpenWork } from './setup.ts'
import { clientCredentials } from './works/client-credentials.ts'
import { codeFlow } from './works/code-flow.ts'
import { introspection, introspectionWithoutRedis } from './works/introspection.ts'
import { jwks, jwksUnchanged } from './works/jwks.ts'
import { password } from './works/password.ts'
import { refresh } from './works/refresh.ts'

interface Listed {
  readonly open: OpenWork
  /** This server, the limit and peers: what a round consists of. */
  readonly contestants: number
}

export const works: Readonly<Record<string, Listed>> = {
  client_credentials: { open: clientCredentials, contestants: 4 },
  refresh: { open: refresh, contestants: 5 },
  code_flow: { open: codeFlow, contestants: 4 },
  password: { open: password, contestants: 3 },
  introspection: { open: introspection, contestants: 3 },
  introspection_without_redis: { open: introspectionWithoutRedis, contestants: 3 },
  jwks: { open: jwks, contestants: 3 },
  jwks_304: { open: jwksUnchanged, contestants: 2 },
}

/** Further names for `--only`. The tables take long and are measured on request only. */
const furtherNames = ['pages', 'start_up', 'workers', 'tables']
export const allNames = [...Object.keys(works), ...furtherNames]

/** About how long a run takes, in seconds. */
export function durationOf(names: readonly string[], pace: Pace, builds: number): number {
  const perContestant = pace.warmUpSeconds + pace.rounds * (pace.seconds + 0.3)
  const starting = 15
  return names.reduce((sum, name) => {
    const contestants = works[name]?.contestants
    if (contestants) return sum + (contestants + builds - 1) * perContestant + 6
    if (name === 'pages') return sum + 15
    if (name === 'start_up') return sum + 140
    if (name === 'workers') return sum + 6 * perContestant + 10
    return sum + 180 + 4 * perContestant + 2 * (perContestant + 4 * pace.rounds)
  }, starting)
}
