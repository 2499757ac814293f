import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * An open-loop generator, as a process of its own: requests arrive when they arrive, whether earlier
 * ones were answered or not, as they do from people. A latency counts from the moment at which the
 * request was due, so that a generator that is held up hides nothing.
 */
export interface Work {
  readonly name: string
  readonly perSecond: number
  readonly grant: 'password' | 'refresh_token' | 'client_credentials'
}

export interface Plan {
  readonly base: string
  readonly authorization: string
  readonly seconds: number
  readonly works: readonly Work[]
  /** Names and the one password of those who sign in. */
  readonly usernames: readonly string[]
  readonly password: string
  /** Requests leave from so many addresses of 127.0.0.0/8. */
  readonly sources: number
  readonly refreshTokens: readonly string[]
}

export interface Sample {
  readonly name: string
  /** 0 when the connection broke or nothing came within 30 s. */
  readonly status: number
  readonly milliseconds: number
  readonly retryAfter: number
}

export interface Outcome {
  readonly samples: readonly Sample[]
  readonly refreshTokens: readonly string[]
  /** Requests that were due and not sent, because too many were open already. */
  readonly unsent: number
}

const mostOpen = 4_000

interface Answer {
  readonly status: number
  readonly retryAfter: number
  readonly refreshToken?: string
}

function post(plan: Plan, agent: Agent, form: Record<string, string>): Promise<Answer> {
  const body = new URLSearchParams(form).toString()
  return new Promise((resolve) => {
    const failed = () => resolve({ status: 0, retryAfter: 0 })
    const headers = {
      authorization: plan.authorization,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
    }
    const url = new URL('/oauth/token', plan.base)
    const sent = request(url, { method: 'POST', agent, headers, timeout: 30_000 }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('error', failed)
      response.on('end', () => {
        const status = response.statusCode ?? 0
        const retryAfter = Number(response.headers['retry-after'] ?? 0)
        const token = status === 200 ? JSON.parse(text).refresh_token : undefined
        resolve({ status, retryAfter, ...(token && { refreshToken: token }) })
      })
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', failed)
    sent.end(body)
  })
}

async function run(plan: Plan): Promise<Outcome> {
  const agents = Array.from({ length: plan.sources }, (_, index) => {
    const localAddress = `127.0.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`
    return new Agent({ keepAlive: true, localAddress })
  })
  const chains = [...plan.refreshTokens]
  const samples: Sample[] = []
  const begun: string[] = []
  const underWay = new Set<Promise<void>>()
  let unsent = 0
  let turn = 0
  const send = async ({ name, grant }: Work, due: number): Promise<void> => {
    turn += 1
    const agent = agents[turn % agents.length] as Agent
    const chain = grant === 'refresh_token' ? chains.shift() : undefined
    if (grant === 'refresh_token' && chain === undefined) {
      unsent += 1
      return
    }
    const username = plan.usernames[turn % plan.usernames.length] ?? ''
    const forms = {
      password: { grant_type: grant, username, password: plan.password, scope: 'offline_access' },
      refresh_token: { grant_type: grant, refresh_token: chain ?? '' },
      client_credentials: { grant_type: grant },
    }
    const { status, retryAfter, refreshToken } = await post(plan, agent, forms[grant])
    samples.push({ name, status, milliseconds: performance.now() - due, retryAfter })
    if (chain !== undefined) chains.push(refreshToken ?? chain)
    else if (refreshToken !== undefined) begun.push(refreshToken)
  }
  const startAt = performance.now()
  const arrive = async (work: Work) => {
    const count = Math.round(work.perSecond * plan.seconds)
    for (let index = 0; index < count; index += 1) {
      const due = startAt + (index * 1000) / work.perSecond
      const early = due - performance.now()
      if (early > 1) await sleep(early)
      if (underWay.size >= mostOpen) unsent += 1
      else {
        const one: Promise<void> = send(work, due).finally(() => underWay.delete(one))
        underWay.add(one)
      }
    }
  }
  await Promise.all(plan.works.map(arrive))
  await Promise.all(underWay)
  for (const agent of agents) agent.destroy()
  return { samples, refreshTokens: [...chains, ...begun], unsent }
}

if (process.send) {
  process.on('message', async (plan: Plan) => {
    process.send?.(await run(plan))
  })
  process.on('disconnect', () => process.exit())
}
