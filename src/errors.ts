/**
 * An error whose message is written for the operator: it says what is wrong and what to do. Commands
 * print the message alone. Every other error is a bug and is printed with its stack.
 */
export class OperatorError extends Error {
  override readonly name: string = 'OperatorError'
}

/** A dependency is down, full or overloaded: the request is valid, and a retry later may succeed (503). */
export class UnavailableError extends Error {
  override readonly name: string = 'UnavailableError'
  /** Advice for the operator, in one sentence, for the log. */
  readonly advice: string

  constructor(message: string, { advice }: { readonly advice: string }) {
    super(message)
    this.advice = advice
  }
}
