import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { answerRounds } from './generator.mjs'

/**
 * Load by wrk, which takes a fraction of the time of a core that autocannon does. Each round is a
 * program of its own that ends by itself; generator.lua makes its requests and reads the answers. What
 * it has to know goes in on standard input, because arguments are for everybody to see.
 */
answerRounds(load)

const script = fileURLToPath(new URL('generator.lua', import.meta.url))
/** Between its report for people and ours. */
const marker = 'what the bench is told\n'
/** Beyond the round, for wrk to start and to end. */
const graceSeconds = 30

/** Refresh tokens, and how far a list has come: both go on in the next round. */
const chains = new Map()
const cursors = new Map()

async function load({ url, connections, seconds, chain, bodies, codes, ...rest }) {
  const tokens = chain?.tokens?.map(encodeURIComponent) ?? chains.get(chain?.name)
  // Until wrk gives back what is left: nobody knows what a round that fails has spent.
  chains.delete(chain?.name)
  const begin = (bodies && cursors.get(bodies[0])) ?? 0
  const job = jobOf({
    ...{ url, connections, ...rest, before: chain?.before ?? codes?.before, tokens, codes },
    bodies: bodies ? [...bodies.slice(begin), ...bodies.slice(0, begin)] : [rest.body],
  })
  const limits = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s']
  const told = await run([...limits, '-s', script, url], job, seconds)
  if (chain) chains.set(chain.name, told.all('token'))
  if (bodies) cursors.set(bodies[0], (begin + told.number('sent')) % bodies.length)
  return resultOf(told)
}

/** A line for each thing. */
function jobOf({ url, method, headers, connections, expects, bodies, codes, before, tokens = [] }) {
  const { host, pathname, search } = new URL(url)
  const lines = [
    ...[`connections ${connections}`, `expects ${expects}`],
    `head ${method} ${pathname}${search} HTTP/1.1`,
    ...Object.entries({ host, ...headers }).map(([name, value]) => `head ${name}: ${value}`),
    ...(before === undefined
      ? bodies.filter((body) => body !== undefined).map((body) => `body ${body}`)
      : [`before ${before}`, ...tokens.map((token) => `token ${token}`)]),
    ...(codes ? openingOf(codes) : []),
  ]
  // It would be another line to the script.
  if (lines.some((line) => /[\r\n]/.test(line))) throw new Error('a request with a line break')
  return `${lines.join('\n')}\n`
}

function openingOf({ url, cookies }) {
  const { host, pathname, search } = new URL(url)
  return [
    `opening GET ${pathname}${search} HTTP/1.1`,
    `opening host: ${host}`,
    ...cookies.map((cookie) => `cookie ${cookie}`),
  ]
}

/** @throws Error with what wrk said, when it has not come to an end with a result */
function run(args, job, seconds) {
  return new Promise((resolve, reject) => {
    const options = {
      ...{ maxBuffer: 2 ** 28, killSignal: 'SIGKILL' },
      timeout: (seconds + graceSeconds) * 1000,
    }
    const wrk = execFile('wrk', args, options, (error, output, complaints) => {
      process.off('exit', kill)
      const [, result] = output.split(marker)
      // A script that it cannot read is to wrk no reason to fail.
      if (error === null && result !== undefined) resolve(readResult(result))
      else reject(new Error(`wrk has failed: ${complaints.trim() || error?.message || output}`))
    })
    const kill = () => wrk.kill('SIGKILL')
    process.once('exit', kill)
    // If it does not read to the end, its own words say why.
    wrk.stdin.on('error', () => undefined).end(job)
  })
}

function readResult(text) {
  const lines = text.split('\n')
  const all = (name) =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1))
  return { all, number: (name) => Number(all(name)[0]) }
}

function resultOf({ all, number }) {
  const total = number('answers')
  const unexpected = number('unexpected')
  const broken = Math.max(number('broken'), number('unanswered'))
  const milliseconds = (name) => (total > 0 ? number(name) / 1000 : undefined)
  return {
    perSecond: (total - unexpected) / (number('duration') / 1e6),
    p50: milliseconds('p50'),
    p99: milliseconds('p99'),
    slowest: milliseconds('slowest'),
    total,
    failures: unexpected + broken + number('late'),
    sample: all('sample')[0] ?? (broken > 0 ? `${broken} connections broke` : undefined),
    cpuMicroseconds: number('cpu'),
  }
}
