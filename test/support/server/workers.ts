import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import pg from 'pg'
import { production } from '../../../tools/fixtures.ts'
import { HttpClient } from '../../../tools/http-client.ts'
import { emptyFolder, program, serve } from './signet.ts'
import { copyTemplate } from './start-server.ts'

/** A program that runs `signet serve --workers 2` in place of `signet serve`. */
export async function withWorkers(folder: string, silentSeconds?: number): Promise<string> {
  const file = join(folder, 'serve-workers.mjs')
  const command = JSON.stringify(join(dirname(program), 'cli', 'serve.js'))
  // How long a worker may be silent is no setting: it is an argument, and the primary's alone.
  const code = `
    import cluster from 'node:cluster'
    process.argv.push('--workers', '2')
    const silentSeconds = ${silentSeconds}
    if (cluster.isWorker || silentSeconds === undefined) await import(${JSON.stringify(program)})
    else await (await import(${command})).serve({ workers: 2, silentSeconds })`
  await writeFile(file, code)
  return file
}

export async function startWorkers(
  t: ExecutionContext,
  env: Record<string, string> = {},
  silentSeconds?: number,
) {
  const databaseUrl = await copyTemplate(t)
  const cwd = await emptyFolder(t)
  const serving = await serve(t, {
    ...{ cwd, program: await withWorkers(cwd, silentSeconds) },
    env: { ...production(databaseUrl), DATABASE_TIMEOUT_SECONDS: '30', ...env },
  })
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  client.on('error', () => undefined)
  t.teardown(() => client.end())
  // biome-ignore lint/suspicious/noExplicitAny: lines of a log
  const logged = (): any[] =>
    serving
      .stdout()
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line))
  const pids = () =>
    logged()
      .filter(({ msg }) => msg === 'a worker answers')
      .map(({ pid }) => Number(pid))
  return { ...serving, client, logged, pids, browser: new HttpClient(serving.url) }
}

export type StartedWorkers = Awaited<ReturnType<typeof startWorkers>>

/** A connection of its own, which any worker may take. */
export async function ask(url: string): Promise<number> {
  const response = await fetch(`${url}/health/live`, { headers: { connection: 'close' } })
  await response.text()
  return response.status
}

export async function counted({ metricsUrl }: StartedWorkers): Promise<Record<string, number>> {
  const text = await (await fetch(metricsUrl)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]),
  )
}
