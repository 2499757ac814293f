import type { Command } from 'commander'
import { openDatabase } from '../server/open-database.ts'
import { openingForCommand } from '../server/open-runtime.ts'
import { inspectSchema, migrate } from '../stores/migrations.ts'
import { answers, example } from './output.ts'

export function migrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description('migrate the database to the schema of this release')
    .option('--dry-run', 'only list pending migrations')
  example(command, 'signet migrate --dry-run', 'signet migrate')
  answers<{ dryRun?: boolean }>(command, async ({ dryRun }) => {
    const database = await openDatabase(openingForCommand())
    try {
      const { pending } = await inspectSchema(database.db)
      const report = (sentence: string) => void process.stderr.write(`${sentence}\n`)
      const applied = dryRun ? [] : await migrate(database.db, { report })
      const names = dryRun ? pending : applied
      const outcome = dryRun ? 'pending' : 'applied'
      const text =
        names.length === 0
          ? 'The database is up to date.'
          : names.map((name) => `${outcome} ${name}`).join('\n')
      return { json: { [outcome]: names }, text }
    } finally {
      await database.close()
    }
  })
}
