import type { ComponentChildren } from 'preact'
import type { Language } from '../languages/languages.ts'
import { Icon } from './icons.tsx'
import { Hidden } from './layout.tsx'

export interface FieldProps {
  readonly name: string
  readonly label: string
  readonly type: 'text' | 'email' | 'password'
  readonly autocomplete:
    | 'username'
    | 'current-password'
    | 'new-password'
    | 'email'
    | 'name'
    | 'one-time-code'
    | 'off'
  readonly value?: string | undefined
  readonly inputmode?: 'email' | 'numeric' | 'text'
  readonly readonly?: boolean
  readonly required?: boolean
  readonly maxlength?: number
  /** Rules for the generator of password managers. */
  readonly passwordrules?: string
  readonly autocapitalize?: 'none' | 'words' | 'characters'
  /** True for the field in which people type first. */
  readonly autofocus?: boolean
  /** The sentence about what is wrong with the value. */
  readonly error?: string | undefined
  readonly hint?: string | undefined
  /** For a password: the name of the button that shows it. */
  readonly reveal?: string
  readonly class?: string
}

export function Field({ name, label, error, hint, reveal, class: kind, ...input }: FieldProps) {
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ')
  return (
    <div class={kind ? `field ${kind}` : 'field'}>
      <label for={name}>{label}</label>
      {hint && (
        <p class="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
      <div class="input">
        <input
          id={name}
          name={name}
          required
          autocapitalize="none"
          spellcheck={false}
          aria-invalid={error ? 'true' : undefined}
          aria-describedby={described || undefined}
          // Its type is one of many here, and one of each in the types of preact.
          {...(input as object)}
        />
        {reveal && (
          <button
            type="button"
            class="reveal"
            hidden
            aria-pressed="false"
            aria-label={reveal}
            aria-controls={name}
          >
            <Icon name="eye" />
            <Icon name="hidden" />
          </button>
        )}
      </div>
      {error && (
        <p class="error" id={`${name}-error`}>
          {error}
        </p>
      )}
    </div>
  )
}

interface PasswordProps {
  readonly language: Language
  readonly error?: string | undefined
  readonly autofocus?: boolean
  readonly name?: string
  readonly label?: string
}

export function CurrentPassword({ language, name = 'password', label, ...rest }: PasswordProps) {
  const { messages } = language
  return (
    <Field
      name={name}
      label={label ?? messages.password}
      type="password"
      autocomplete="current-password"
      reveal={messages.showPassword}
      {...rest}
    />
  )
}

/** A field for a password to be chosen: managers offer to make one up. */
export function NewPassword({ language, name = 'new_password', label, ...rest }: PasswordProps) {
  const { messages } = language
  return (
    <Field
      name={name}
      label={label ?? messages.newPassword}
      hint={messages.passwordHint}
      type="password"
      autocomplete="new-password"
      passwordrules="minlength: 8; maxlength: 128; allowed: ascii-printable;"
      reveal={messages.showPassword}
      {...rest}
    />
  )
}

interface FormProps {
  readonly action: string
  /** Hidden fields; absent values are left out. */
  readonly hidden?: Readonly<Record<string, string | undefined>>
  readonly children: ComponentChildren
}

export function Form({ action, hidden, children }: FormProps) {
  // The address of a page that shows the form again then still says which app the person comes from.
  const request = hidden?.request
  return (
    <form method="post" action={request ? `${action}?request=${request}` : action}>
      <Hidden values={hidden} />
      {children}
    </form>
  )
}

/** An error takes the focus when the page opens, so that it is read first. */
const focused = { autofocus: true, tabIndex: -1 }

/** An error of a whole form. */
export function Alert({ children }: { readonly children: ComponentChildren }) {
  return (
    <div class="alert" role="alert" {...focused}>
      <Icon name="alert" />
      <p>{children}</p>
    </div>
  )
}

interface ErrorSummaryProps {
  readonly language: Language
  /** The sentence for each field that is wrong, by its name. */
  readonly errors: Readonly<Record<string, string>>
}

/** Lists the errors of a form, with a link to each field. */
export function ErrorSummary({ language, errors }: ErrorSummaryProps) {
  const wrong = Object.entries(errors)
  if (wrong.length === 0) return null
  return (
    <div class="alert" role="alert" {...focused}>
      <Icon name="alert" />
      <div>
        <p>{language.messages.checkFields}</p>
        <ul>
          {wrong.map(([name, sentence]) => (
            <li key={name}>
              <a href={`#${name}`}>{sentence}</a>
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}

/** A thing to know that is no error. */
export function Notice({ children }: { readonly children: ComponentChildren }) {
  return (
    <div class="notice" role="status">
      <p>{children}</p>
    </div>
  )
}
