import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { Runtime, Services } from '../../app/services.ts'
import { withServices } from '../../server/open-runtime.ts'
import { exportPeople } from '../../users/transfer.ts'
import { answers, example } from '../output.ts'

export function exportCommand(users: Command): void {
  const command = users
    .command('export')
    .description('export all people with their password hashes, in the format of users import')
    .argument('[file]', 'created with mode 0600; default: standard output')
  example(command, 'signet users export people.ndjson')
  answers(command, (_options, file) =>
    withServices(async (services, runtime) => {
      const exported = await (file === undefined || file === '-'
        ? exportTo(process.stdout, services, runtime)
        : exportToFile(file, services, runtime))
      process.stderr.write(
        `${exported} people exported with their password hashes. Protect the file like the database.\n`,
      )
      if (file === undefined || file === '-') return undefined
      return { json: { exported, file }, text: `Wrote ${file}.` }
    }),
  )
}

/** Writes under another name until the file is complete; its mode is `0600` even if it existed. */
async function exportToFile(file: string, services: Services, runtime: Runtime): Promise<number> {
  const unfinished = `${file}.${randomUUID()}`
  const handle = await open(unfinished, 'wx', 0o600)
  try {
    const exported = await exportTo(handle.createWriteStream(), services, runtime)
    await rename(unfinished, file)
    return exported
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

async function exportTo(
  to: NodeJS.WritableStream,
  { audit }: Services,
  { db }: Runtime,
): Promise<number> {
  let exported = 0
  async function* pages() {
    for await (const lines of exportPeople(db)) {
      exported += lines.length
      yield `${lines.join('\n')}\n`
    }
  }
  await pipeline(Readable.from(pages()), to, { end: to !== process.stdout })
  await audit.record({ event: 'user.exported', detail: { people: exported } })
  return exported
}
