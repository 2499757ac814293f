import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../../tools/root.ts'
import { findingsInCode, findingsInProse } from './language.ts'
import { pending } from './language-pending.ts'

/**
 * Part of `npm run check`: refuses comments, test titles and documents that break the rules of language in
 * CONTRIBUTING.md. Files that are not clean yet are listed in language-pending.ts, which may only shrink.
 */
const files = execFileSync('git', ['ls-files', '*.ts', '*.cts', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && file !== 'test/support/docs/language.ts')
const found = new Map(
  files.map((file) => {
    const source = readFileSync(join(root, file), 'utf8')
    return [file, file.endsWith('.md') ? findingsInProse(source) : findingsInCode(source)] as const
  }),
)
const problems = [...found].flatMap(([file, findings]) =>
  pending.includes(file) ? [] : findings.map(({ line, text }) => `${file}:${line}: ${text}`),
)
const clean = pending.filter((file) => (found.get(file) ?? []).length === 0)
for (const problem of problems) console.error(problem)
for (const file of clean) console.error(`${file} is clean: take it out of language-pending.ts`)
if (problems.length + clean.length > 0) process.exitCode = 1
