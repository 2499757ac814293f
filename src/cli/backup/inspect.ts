import type { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import { loadConfig, readConfiguredMasterKeys } from '../../server/open-runtime.ts'
import { migrationSource } from '../../stores/migrations.ts'
import { type Finding, failed, ok, report, warning } from '../doctor/finding.ts'
import { answers, example, moment } from '../output.ts'
import { openProgress } from '../progress.ts'
import { type Manifest, manifestOf, readManifest, sha256Of, sizeText } from './manifest.ts'

export function inspectCommand(backup: Command): void {
  const command = backup
    .command('inspect')
    .description(
      'check a backup of signet backup create before it is restored: whether the file is complete, of which ' +
        'release it is, and whether the configured master keys open it',
    )
    .argument('<file>', 'with its manifest beside it')
  example(command, 'signet backup inspect /var/backups/signet-2026-12-01.dump')
  answers(command, async (_options, file = '') => {
    const config = loadConfig()
    const manifest = await readManifest(manifestOf(file))
    const findings = [
      await completeness(file, manifest),
      await schema(manifest),
      await masterKeys(manifest, config),
      contents(manifest),
      age(manifest),
    ]
    const isFailed = findings.some(({ state }) => state === 'failed')
    const json = { ok: !isFailed, findings, manifest }
    return { json, text: report(findings), failed: isFailed }
  })
}

async function completeness(file: string, { bytes, sha256 }: Manifest): Promise<Finding> {
  const progress = openProgress(bytes)
  const found = await sha256Of(file, (read) => progress.update(read, sizeText(read)))
  progress.end()
  const advice = 'Copy it again from where it was made, or take another backup.'
  if (found.bytes !== bytes) {
    return failed('file', `has ${found.bytes} bytes, and had ${bytes} when it was made`, advice)
  }
  if (found.sha256 !== sha256) return failed('file', 'was changed since it was made', advice)
  return ok('file', `complete, ${sizeText(bytes)}`)
}

async function schema({ release, newest_migration }: Manifest): Promise<Finding> {
  const known = await migrationSource.getMigrations([])
  const pending = known.length - 1 - known.indexOf(newest_migration)
  if (!known.includes(newest_migration)) {
    const message = `of another release, newer than this one (made by ${release}, unknown: ${newest_migration})`
    return failed('schema', message, `Restore and serve it with release ${release} or newer.`)
  }
  if (pending === 0) return ok('schema', `of this release (made by ${release})`)
  const message = `of an earlier release: ${pending} migration(s) are pending (made by ${release})`
  return warning('schema', message, 'After the restore run: signet migrate')
}

async function masterKeys({ master_keys }: Manifest, config: Config): Promise<Finding> {
  const here = (await readConfiguredMasterKeys(config))?.all.map(({ id }) => id) ?? []
  const missing = master_keys.filter((id) => !here.includes(id))
  if (missing.length === 0) return ok('master keys', `${master_keys.join(', ')}: here`)
  const message = `needs ${missing.join(', ')} (here: ${here.join(', ') || 'none'})`
  const advice =
    'Set KEYS_DIR or MASTER_KEYS to the master keys of the time of the backup: nothing else opens it.'
  return failed('master keys', message, advice)
}

const contents = ({ people, clients, sessions }: Manifest): Finding =>
  ok('contents', `${people} people, ${clients} clients, ${sessions} sessions`)

function age({ created_at, newest_event }: Manifest): Finding {
  const made = `made ${moment(new Date(created_at))}`
  const newest = newest_event ? moment(new Date(newest_event.at)) : undefined
  const advice = 'After the restore: signet backup replay, with your journal (docs/operations.md)'
  return warning('age', `${made}, the newest audit event is of ${newest ?? 'never'}`, advice)
}
