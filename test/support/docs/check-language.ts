import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../../tools/root.ts'
import { findingsInCode, findingsInProse } from './language.ts'

/**
 * Part of `npm run check`: refuses comments, test titles and documents that break the rules of language in
 * CONTRIBUTING.md.
 */
const listed = execFileSync('git', ['ls-files', '*.ts', '*.tsx', '*.cts', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
// The file with the rules has to name what they refuse.
const files = listed
  .split('\n')
  .filter((file) => file !== '' && file !== 'test/support/docs/language.ts')
for (const file of files) {
  const path = join(root, file)
  if (!existsSync(path)) continue
  const source = readFileSync(path, 'utf8')
  const findings = file.endsWith('.md') ? findingsInProse(source) : findingsInCode(source)
  for (const { line, text } of findings) console.error(`${file}:${line}: ${text}`)
  if (findings.length > 0) process.exitCode = 1
}
