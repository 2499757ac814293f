import { type Check, type Explanation, firstFailed } from '../../explanations/explanation.ts'

const marks: Readonly<Record<Check['state'], string>> = { passed: '✔', failed: '✘', skipped: '–' }

/** A line for each check, the verdict, and the notes. */
export function explanationText(explanation: Explanation, clocks: string): string {
  const { subject, id, checks, notes } = explanation
  const width = Math.max(0, ...checks.map(({ check }) => check.length))
  const lines = checks.map(({ check, state, message }) =>
    `${marks[state]} ${check.padEnd(width)}  ${message}`.trimEnd(),
  )
  const heading = id === undefined ? subject : `${subject} ${id}`
  return [heading, ...lines, '', verdict(explanation), ...notes, clocks].join('\n')
}

function verdict(explanation: Explanation): string {
  const check = firstFailed(explanation)
  if (check) return `Refused. The first check that failed: ${check.check}.`
  const isPartial = explanation.checks.some(({ state }) => state === 'skipped')
  return isPartial ? 'Every check that could be done passes.' : 'Every check passes.'
}

/** The same for programs. */
export const explanationRecord = (explanation: Explanation) => ({
  subject: explanation.subject,
  id: explanation.id ?? null,
  ok: firstFailed(explanation) === undefined,
  failed: firstFailed(explanation)?.check ?? null,
  checks: explanation.checks,
  notes: explanation.notes,
})
