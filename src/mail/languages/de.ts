import type { MailTexts } from './en.ts'

export const de = {
  when: (at, ip) => (ip ? `am ${at} von der Netzwerkadresse ${ip} aus` : `am ${at}`),
  quotes: ['„', '“'],

  verify_email: {
    subject: ({ site }) => `Bestätigen Sie Ihre E-Mail-Adresse für ${site}`,
    event: ({ site, when }) =>
      `Jemand hat ${when} diese E-Mail-Adresse für ein Konto bei ${site} angegeben.`,
    enterCode: 'Geben Sie diesen Code auf der Seite ein, auf der Sie sich registriert haben:',
    orLink: 'Oder bestätigen Sie die Adresse mit dem Link.',
    openLink:
      'Um zu bestätigen, dass die Adresse Ihnen gehört, öffnen Sie diesen Link und geben Sie das Passwort des Kontos ein. Der Link gilt einmal und 24 Stunden lang.',
    otherwise:
      'Wenn Sie das nicht waren, ignorieren Sie diese E-Mail. Die Adresse wird dann nicht bestätigt.',
  },
  reset_password: {
    subject: ({ site }) => `Setzen Sie Ihr Passwort für ${site} zurück`,
    event: ({ site, when }) =>
      `Jemand hat ${when} angefordert, das Passwort Ihres Kontos bei ${site} zurückzusetzen.`,
    openLink:
      'Um ein neues Passwort zu wählen, öffnen Sie diesen Link. Er gilt einmal und eine Stunde lang und meldet Sie überall ab.',
    otherwise:
      'Wenn Sie das nicht waren, ignorieren Sie diese E-Mail. Ihr Passwort bleibt gleich, und nur Sie haben diesen Link erhalten.',
  },
  registration_attempt: {
    subject: ({ site }) => `Sie haben bereits ein Konto bei ${site}`,
    event: ({ site, when }) =>
      `Jemand hat ${when} diese E-Mail-Adresse für ein Konto bei ${site} angegeben. Sie haben bereits ein Konto mit dieser Adresse, deshalb wurde nichts geändert.`,
    signIn: 'Wenn Sie das waren, melden Sie sich an:',
    forgotten: 'Wenn Sie Ihr Passwort vergessen haben, wählen Sie ein neues:',
    otherwise:
      'Wenn Sie das nicht waren, ignorieren Sie diese E-Mail. Die andere Person hat nicht erfahren, dass Sie ein Konto haben.',
  },
  username_taken: {
    subject: ({ site }) => `Ihre Registrierung bei ${site} braucht einen anderen Benutzernamen`,
    event: ({ site, when, username }) =>
      `Jemand wollte sich ${when} mit dieser E-Mail-Adresse bei ${site} registrieren. Der ${username ? `Benutzername ${username}` : 'gewählte Benutzername'} ist vergeben, deshalb wurde kein Konto erstellt.`,
    register: 'Um sich zu registrieren, wählen Sie einen anderen Benutzernamen:',
    otherwise: 'Wenn Sie das nicht waren, ignorieren Sie diese E-Mail.',
  },
  password_changed: {
    subject: ({ site }) => `Ihr Passwort für ${site} wurde geändert`,
    event: ({ site, when, keysKept }) =>
      `Das Passwort Ihres Kontos bei ${site} wurde ${when} geändert. Alle Sitzungen wurden beendet, außer der, in der es geändert wurde. Ihre API-Schlüssel wurden ${keysKept ? 'behalten' : 'gelöscht'}.`,
    otherwise: 'Wenn Sie das nicht waren, wählen Sie sofort ein neues Passwort:',
  },
  email_change_requested: {
    subject: ({ site }) => `Neue E-Mail-Adresse für Ihr Konto bei ${site} angefordert`,
    event: ({ site, when, newEmail }) =>
      `Jemand hat ${when} angefordert, die E-Mail-Adresse Ihres Kontos bei ${site} in ${newEmail ?? 'eine andere Adresse'} zu ändern. Die Änderung gilt, sobald die neue Adresse bestätigt ist.`,
    otherwise:
      'Wenn Sie das nicht waren, kennt jemand anderes Ihr Passwort. Wählen Sie sofort ein neues:',
  },
  email_changed: {
    subject: ({ site }) => `Die E-Mail-Adresse Ihres Kontos bei ${site} wurde geändert`,
    event: ({ site, when, newEmail }) =>
      `Die E-Mail-Adresse Ihres Kontos bei ${site} wurde ${when} von dieser in ${newEmail ?? 'eine andere Adresse'} geändert. An diese Adresse senden wir keine weiteren E-Mails über das Konto.`,
    otherwise: ({ site }) =>
      `Wenn Sie das nicht waren, hat jemand anderes Zugriff auf Ihr Konto. Wenden Sie sich sofort an ${site}.`,
  },
  username_changed: {
    subject: ({ site }) => `Ihr Benutzername bei ${site} wurde geändert`,
    event: ({ site, when, username }) =>
      `Der Benutzername Ihres Kontos bei ${site} wurde ${when} in ${username ?? 'einen anderen'} geändert.`,
    otherwise:
      'Wenn Sie das nicht waren, kennt jemand anderes Ihr Passwort. Wählen Sie sofort ein neues:',
  },
  api_key_created: {
    subject: ({ site }) => `Neuer API-Schlüssel für Ihr Konto bei ${site}`,
    event: ({ site, when, keyName }) =>
      `${keyName ? `Der API-Schlüssel ${keyName}` : 'Ein API-Schlüssel'} wurde ${when} für Ihr Konto bei ${site} erstellt. Ein Programm, das ihn hat, kann in Ihrem Namen handeln.`,
    otherwise:
      'Wenn Sie das nicht waren, wählen Sie sofort ein neues Passwort. Dadurch werden alle Sitzungen beendet und alle API-Schlüssel gelöscht:',
  },
  new_sign_in: {
    subject: ({ site }) => `Neue Anmeldung bei Ihrem Konto bei ${site}`,
    event: ({ site, when }) =>
      `Jemand hat sich ${when} mit einem Gerät, das wir nicht kennen, bei Ihrem Konto bei ${site} angemeldet.`,
    device: ({ browser, system }) =>
      `Gerät: ${browser && system ? `${browser} unter ${system}` : (browser ?? system ?? 'unbekannt')}`,
    app: ({ app }) => `App: ${app}`,
    own: 'Wenn Sie das waren, ignorieren Sie diese E-Mail.',
    otherwise:
      'Wenn Sie das nicht waren, kennt jemand anderes Ihr Passwort. Sichern Sie Ihr Konto mit diesem Link und bestätigen Sie es auf der Seite, die sich öffnet. Der Link gilt 7 Tage lang.',
    effect:
      'Alle Geräte und Apps werden abgemeldet, alle API-Schlüssel gelöscht, und das Passwort gilt nicht mehr. Sie erhalten eine E-Mail, mit der Sie ein neues wählen.',
  },
  account_deleted: {
    subject: ({ site }) => `Ihr Konto bei ${site} wurde gelöscht`,
    event: ({ site, when }) =>
      `Ihr Konto bei ${site} wurde ${when} gelöscht. Sie sind überall abgemeldet, und dies ist die letzte E-Mail dazu.`,
    otherwise: ({ site }) => `Wenn Sie das nicht waren, wenden Sie sich an ${site}.`,
  },
} satisfies MailTexts
