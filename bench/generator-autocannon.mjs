import autocannon from 'autocannon'
import { answerRounds } from './generator.mjs'

/** Load by autocannon, which is installed with the bench and runs wherever Node does. */
answerRounds(load)

/** Refresh tokens, and how far a list has come: both go on in the next round. */
const chains = new Map()
const cursors = new Map()

async function load({ url, method, headers, connections, seconds, expects, ...rest }) {
  const latencies = []
  let total = 0
  let unexpected = 0
  let sample
  const onUnexpected = (status, text) => {
    unexpected += 1
    sample ??= `${status} ${String(text).slice(0, 300)}`
  }
  const { codes } = rest
  const requests = codes
    ? codeFlow(codes, expects, onUnexpected)
    : [requestFor(rest, expects, onUnexpected)]
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  const endsAt = startedAt + seconds * 1000
  const running = autocannon({
    ...{ url, method, headers, connections, duration: seconds, requests },
    ...{ timeout: 30, sampleInt: 50 },
  })
  running.on('response', (_client, status, _bytes, milliseconds) => {
    // A redirect with a code is the first half of one.
    if (!codes || status !== redirected) total += 1
    // Connections are closed a little after the end; what comes then is not counted.
    if (status === expects && performance.now() <= endsAt) latencies.push(milliseconds)
  })
  const { errors } = await running
  const { user, system } = process.cpuUsage(cpuBefore)
  latencies.sort((a, b) => a - b)
  const quantile = (q) =>
    latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))]
  return {
    perSecond: latencies.length / seconds,
    ...{ p50: quantile(0.5), p99: quantile(0.99), slowest: latencies.at(-1) },
    ...{ total, failures: unexpected + errors, sample },
    cpuMicroseconds: user + system,
  }
}

/** Always the same request, one after the other of a list, or each with the token of an answer before. */
function requestFor({ body, bodies, chain }, expects, onUnexpected) {
  const check = (status, text) => {
    if (status !== expects) onUnexpected(status, text)
    return status === expects
  }
  if (chain) return chained(chain, check)
  if (bodies)
    return { setupRequest: (request) => ({ ...request, body: inTurn(bodies) }), onResponse: check }
  return { body, onResponse: check }
}

const redirected = 303

/** Two requests of each connection in turn: the redirect of the first brings the code for the second. */
function codeFlow({ url, cookies, before }, expects, onUnexpected) {
  const { pathname, search } = new URL(url)
  const authorize = {
    setupRequest: (request) => ({
      ...{ ...request, method: 'GET', path: pathname + search, body: undefined },
      headers: { cookie: inTurn(cookies) },
    }),
    onResponse(status, text, context, headers) {
      const location = headers.Location ?? headers.location ?? ''
      context.code = /[?&]code=([^&]+)/.exec(location)?.[1]
      if (status !== redirected || !context.code) onUnexpected(status, location + text)
    },
  }
  const redeem = {
    // Without a code the next authorization follows.
    setupRequest: (request, { code }) => code && { ...request, body: before + code },
    onResponse(status, text) {
      if (status !== expects || !text.includes('"id_token"')) onUnexpected(status, text)
    },
  }
  return [authorize, redeem]
}

function inTurn(bodies) {
  const key = bodies[0]
  const next = cursors.get(key) ?? 0
  cursors.set(key, next + 1)
  return bodies[next % bodies.length]
}

/**
 * Each session is refreshed by one connection at a time, with the token that the last answer brought.
 * What was under way when a round ended is lost and never used again: its token may be spent.
 */
function chained({ name, tokens, before }, check) {
  if (tokens) chains.set(name, new Ring(tokens))
  const ring = chains.get(name)
  return {
    setupRequest(request) {
      return { ...request, body: before + encodeURIComponent(ring.take()) }
    },
    onResponse(status, text) {
      if (check(status, text)) ring.put(JSON.parse(text).refresh_token)
    },
  }
}

/** First in, first out, so that all sessions have their turn. */
class Ring {
  #tokens
  #first = 0

  constructor(tokens) {
    this.#tokens = [...tokens]
  }

  take() {
    const token = this.#tokens[this.#first]
    if (token === undefined) throw new Error('no refresh token is left')
    this.#first += 1
    if (this.#first > 10_000) {
      this.#tokens = this.#tokens.slice(this.#first)
      this.#first = 0
    }
    return token
  }

  put(token) {
    this.#tokens.push(token)
  }
}
