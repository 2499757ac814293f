import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { later } from '../clock.ts'
import { OperatorError } from '../errors.ts'
import { readKey } from '../keyring/key-material.ts'
import { propagationSeconds, signsNoMoreSeconds } from '../keyring/timing.ts'
import { withServices } from '../server/open-runtime.ts'
import {
  distance,
  keyList,
  keyRecord,
  revocationText,
  revocationWarning,
  timeline,
} from './key-texts.ts'
import { newMasterCommand, rewrapCommand } from './master-keys.ts'
import { answers, example, moment } from './output.ts'

export function keysCommand(program: Command): void {
  const keys = program
    .command('keys')
    .description('manage signing keys and the master keys that seal them')
  list(keys)
  rotate(keys)
  revoke(keys)
  importKey(keys)
  rewrapCommand(keys)
  newMasterCommand(keys)
}

function list(keys: Command): void {
  const command = keys
    .command('list')
    .description('list published keys and their next change')
    .option('--all', 'include retired and revoked keys')
  example(command, 'signet keys list --all')
  answers<{ all?: boolean }>(command, ({ all }) =>
    withServices(async ({ signingKeys }, { now }) => {
      const at = now()
      const found = await signingKeys.all()
      const json = found
        .map((key) => keyRecord(key, at))
        .filter(({ state }) => all || !['retired', 'revoked'].includes(state))
      return { json, text: keyList(json, at) }
    }),
  )
}

function rotate(keys: Command): void {
  const command = keys
    .command('rotate')
    .description('let the published successor sign as soon as every verifier knows it')
    .option('--dry-run', 'only print the timeline')
    .option('--now', 'emergency: let it sign immediately')
    .option('--yes', 'with --now: even if some verifiers do not know the successor yet')
  example(command, 'signet keys rotate --dry-run', 'signet keys rotate')
  answers<{ dryRun?: boolean; now?: boolean; yes?: boolean }>(command, (options) =>
    withServices(async ({ rotation, timing }, { now }) => {
      const { dryRun = false, now: emergency = false, yes: acceptTooSoon = false } = options
      const plan = dryRun
        ? await rotation.plan(emergency)
        : await rotation.rotate({ emergency, acceptTooSoon })
      const text = timeline(plan, { dryRun, emergency, acceptTooSoon, timing, now: now() })
      return { json: { ...plan, dryRun }, text }
    }),
  )
}

function revoke(keys: Command): void {
  const command = keys
    .command('revoke')
    .description('revoke a leaked key immediately; this ends every token that it signed')
    .argument('<kid>', 'see: signet keys list; put a kid that starts with - last, after --')
    .option('--yes', 'confirm')
  example(command, 'signet keys revoke 8Ht0S7u1nqpYyqT3uJkZ0c0X5cJmTg0zq0Yk4u3m2Xk --yes')
  answers<{ yes?: boolean }>(command, ({ yes }, kid = '') =>
    withServices(async ({ rotation, signingKeys, timing }, { now }) => {
      const key = (await signingKeys.all()).find((candidate) => candidate.kid === kid)
      if (key && !key.revokedAt && !yes) throw new OperatorError(revocationWarning(key, now()))
      const { signer, signerUnknownFor } = await rotation.revoke(kid)
      process.stderr.write(
        `${kid} is revoked. Waiting ${signsNoMoreSeconds} s, until no instance signs with it …\n`,
      )
      await sleep(signsNoMoreSeconds * 1000)
      return {
        json: { revoked: kid, signer, signerUnknownFor },
        text: revocationText({ kid, signer, signerUnknownFor }, timing),
      }
    }),
  )
}

function importKey(keys: Command): void {
  const command = keys
    .command('import')
    .description('publish your own RSA private key as the successor')
    .argument('<file>', 'unencrypted PEM, PKCS #8 or PKCS #1, 2048 to 4096 bits')
  example(command, 'openssl genrsa -out own.pem 3072', 'signet keys import own.pem')
  answers(command, async (_options, file = '') => {
    const material = await readOwnKey(file)
    return withServices(async ({ rotation }, { now }) => {
      const signsFrom = await rotation.import(material)
      const sooner = distance(later(now(), propagationSeconds), now())
      const lines = [
        `${material.kid} is published and signs from ${moment(signsFrom)} (${distance(signsFrom, now())}).`,
        'It replaces the previous successor, which never signed.',
        `Every verifier knows it ${sooner}; from then on signet keys rotate lets it sign.`,
      ]
      return { json: { kid: material.kid, signsFrom }, text: lines.join('\n') }
    })
  })
}

async function readOwnKey(file: string) {
  try {
    return await readKey(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new OperatorError(`${file}: ${(cause as Error).message}`, { cause })
  }
}
