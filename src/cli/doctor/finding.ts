/** The result of one check of the doctor. */
export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly message: string
  /** How to fix it. */
  readonly advice?: string
}

export const ok = (check: string, message: string): Finding => ({ check, state: 'ok', message })

export const warning = (check: string, message: string, advice: string): Finding => ({
  check,
  state: 'warning',
  message,
  advice,
})

export const failed = (check: string, message: string, advice: string): Finding => ({
  check,
  state: 'failed',
  message,
  advice,
})

/** Formats a line per finding, and its advice below it. */
export function report(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap(({ check, state, message, advice }) => {
    const [first = '', ...more] = message.split('\n')
    const indent = ' '.repeat(width + 11)
    return [
      `${state.padEnd(7)}  ${check.padEnd(width)}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
      ...(advice ? [`${indent}→ ${advice}`] : []),
    ]
  })
  return [...lines, '', summary(findings)].join('\n')
}

function summary(findings: readonly Finding[]): string {
  const count = (state: Finding['state']) =>
    findings.filter((finding) => finding.state === state).length
  return `${count('ok')} ok, ${count('warning')} warning, ${count('failed')} failed`
}
