import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { table } from '../src/cli/output.ts'
import { app } from '../test/support/fixtures.ts'
import { basic } from '../test/support/requests.ts'
import { startFloodServer } from './flood-server.ts'

/** `npx tsx bench/workers.ts`: client credentials a second with one worker and with two, in turn. */
const [rounds, seconds, connections] = [3, 4, 32]

/** The generator is a process of its own: each connection asks again as soon as it was answered. */
async function generate(base: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const endsAt = performance.now() + seconds * 1000
  let answered = 0
  const body = 'grant_type=client_credentials'
  const headers = {
    ...{ authorization: basic(app), 'content-type': 'application/x-www-form-urlencoded' },
    'content-length': body.length,
  }
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const sent = request(
        `${base}/oauth/token`,
        { method: 'POST', agent, headers },
        (response) => {
          if (response.statusCode === 200) answered += 1
          response.resume().once('end', resolve)
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  const lane = async () => {
    while (performance.now() < endsAt) await one()
  }
  await Promise.all(Array.from({ length: connections }, lane))
  agent.destroy()
  return answered / seconds
}

async function measure(workers: number): Promise<number> {
  const server = await startFloodServer(workers, () => undefined)
  try {
    const child = fork(fileURLToPath(import.meta.url), { execArgv: ['--import=tsx'] })
    child.send(server.url)
    const [perSecond] = await once(child, 'message')
    child.disconnect()
    return perSecond
  } finally {
    await server.close()
  }
}

async function compare(): Promise<void> {
  const found = new Map<number, number[]>([
    [1, []],
    [2, []],
  ])
  for (let round = 0; round < rounds; round += 1) {
    for (const [workers, rates] of found) rates.push(await measure(workers))
  }
  const rows = [...found].map(([workers, rates]) => {
    const [lowest = 0, median = 0, highest = 0] = rates.sort((a, b) => a - b).map(Math.round)
    return [`${workers}`, `${median}`, `${lowest} to ${highest}`]
  })
  console.log(table(['workers', 'client credentials/s', 'of three rounds'], rows))
}

if (process.send) {
  process.once('message', async (base: string) => process.send?.(await generate(base)))
  process.on('disconnect', () => process.exit())
} else {
  await compare()
}
