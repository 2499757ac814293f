import type { Command } from 'commander'
import { openDatabase } from '../server/open-database.ts'
import { openingForCommand } from '../server/open-runtime.ts'
import { inspectSchema, migrate } from '../stores/migrations.ts'
import { answers, example } from './output.ts'

export function migrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description('bring the database to the schema of this release')
    .option('--dry-run', 'only say what is pending')
  example(command, 'signet migrate --dry-run', 'signet migrate')
  answers<{ dryRun?: boolean }>(command, async ({ dryRun }) => {
    const database = await openDatabase(openingForCommand())
    try {
      const { pending } = await inspectSchema(database.db)
      const applied = dryRun ? [] : await migrate(database.db)
      const names = dryRun ? pending : applied
      const what = dryRun ? 'pending' : 'applied'
      const text =
        names.length === 0 ? 'nothing to do' : names.map((name) => `${what} ${name}`).join('\n')
      return { json: { [what]: names }, text }
    } finally {
      await database.close()
    }
  })
}
