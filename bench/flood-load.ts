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
  /** `page`: a person opens the sign-in page and sends its form. */
  readonly grant: 'password' | 'refresh_token' | 'client_credentials' | 'page'
}

export interface Plan {
  readonly base: string
  /** The origin of the issuer, which forms of its pages come from. */
  readonly origin: string
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

interface Received {
  readonly status: number
  readonly retryAfter: number
  readonly text: string
}

/** Sends a form, or asks for a page. */
function send(
  url: URL,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
  form?: Readonly<Record<string, string>>,
): Promise<Received> {
  const body = form && new URLSearchParams(form).toString()
  return new Promise((resolve) => {
    const failed = () => resolve({ status: 0, retryAfter: 0, text: '' })
    const formHeaders = body !== undefined && {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
    }
    const options = {
      method: body === undefined ? 'GET' : 'POST',
      agent,
      headers: { ...headers, ...formHeaders },
      timeout: 30_000,
    }
    const sent = request(url, options, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('error', failed)
      response.on('end', () => {
        const retryAfter = Number(response.headers['retry-after'] ?? 0)
        resolve({ status: response.statusCode ?? 0, retryAfter, text })
      })
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', failed)
    sent.end(body)
  })
}

async function post(plan: Plan, agent: Agent, form: Record<string, string>): Promise<Answer> {
  const headers = { authorization: plan.authorization }
  const answer = await send(new URL('/oauth/token', plan.base), agent, headers, form)
  const { status, retryAfter, text } = answer
  const token = status === 200 ? JSON.parse(text).refresh_token : undefined
  return { status, retryAfter, ...(token && { refreshToken: token }) }
}

/** Counts as 200 when the form signs in, which it answers with a redirect. */
async function signInOnPage(plan: Plan, agent: Agent, username: string): Promise<Answer> {
  const url = new URL('/sign-in', plan.base)
  const page = await send(url, agent, {})
  const [, attempt] = /name="attempt" value="([^"]+)"/.exec(page.text) ?? []
  if (attempt === undefined) return page
  const form = { username, password: plan.password, attempt }
  const { status, retryAfter } = await send(url, agent, { origin: plan.origin }, form)
  return { status: status === 303 ? 200 : status, retryAfter }
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
  const start = async ({ name, grant }: Work, due: number): Promise<void> => {
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
    const { status, retryAfter, refreshToken } =
      grant === 'page'
        ? await signInOnPage(plan, agent, username)
        : await post(plan, agent, forms[grant])
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
        const one: Promise<void> = start(work, due).finally(() => underWay.delete(one))
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
