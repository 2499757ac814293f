import type { ComponentChildren } from 'preact'

interface FieldProps {
  readonly name: string
  readonly label: string
  readonly type: 'text' | 'email' | 'password'
  readonly autocomplete:
    | 'username'
    | 'current-password'
    | 'new-password'
    | 'email'
    | 'one-time-code'
  readonly value?: string | undefined
  readonly inputmode?: 'email' | 'numeric'
  readonly readonly?: boolean
  /** The sentence about what is wrong with the value. */
  readonly error?: string | undefined
  readonly hint?: string | undefined
}

export function Field({ name, label, error, hint, readonly: isReadonly, ...input }: FieldProps) {
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ')
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        required
        readonly={isReadonly}
        autocapitalize="none"
        spellcheck={false}
        aria-invalid={error ? 'true' : undefined}
        aria-describedby={described || undefined}
        // Its type is one of many here, and one of each in the types of preact.
        {...(input as object)}
      />
      {hint && (
        <p class="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="error" id={`${name}-error`}>
          {error}
        </p>
      )}
    </div>
  )
}

interface FormProps {
  readonly action: string
  /** Hidden fields; absent values are left out. */
  readonly hidden?: Readonly<Record<string, string | undefined>>
  readonly children: ComponentChildren
}

export function Form({ action, hidden = {}, children }: FormProps) {
  return (
    <form method="post" action={action}>
      {Object.entries(hidden).map(
        ([name, value]) =>
          value !== undefined && <input type="hidden" key={name} name={name} value={value} />,
      )}
      {children}
    </form>
  )
}

/** An error of a whole form; it is read out when the page opens. */
export function Alert({ children }: { readonly children: ComponentChildren }) {
  return (
    <p class="alert" role="alert">
      {children}
    </p>
  )
}
