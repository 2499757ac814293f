import type { Command } from 'commander'
import { createCommand } from './create.ts'
import { inspectCommand } from './inspect.ts'
import { journalCommand } from './journal.ts'
import { replayCommand } from './replay.ts'
import { verifyCommand } from './verify.ts'

export function backupCommand(program: Command): void {
  const backup = program
    .command('backup')
    .description(
      'make and check backups, and repeat in a restored database what was ended after its backup',
    )
  createCommand(backup)
  inspectCommand(backup)
  verifyCommand(backup)
  journalCommand(backup)
  replayCommand(backup)
}
