import type { MailTexts } from './en.ts'

export const fr = {
  when: (at, ip) => (ip ? `le ${at}, depuis l’adresse réseau ${ip}` : `le ${at}`),
  quotes: ['« ', ' »'],

  verify_email: {
    subject: ({ site }) => `Confirmez votre adresse e-mail pour ${site}`,
    event: ({ site, when }) =>
      `Quelqu’un a indiqué cette adresse e-mail pour un compte sur ${site} ${when}.`,
    enterCode: 'Saisissez ce code sur la page où vous vous êtes inscrit :',
    orLink: 'Ou confirmez à l’aide du lien.',
    openLink:
      'Pour confirmer que cette adresse est bien à vous, ouvrez ce lien et saisissez le mot de passe du compte. Le lien est utilisable une seule fois, pendant 24 heures.',
    otherwise: 'Si ce n’était pas vous, ignorez cet e-mail. L’adresse ne sera pas confirmée.',
  },
  reset_password: {
    subject: ({ site }) => `Réinitialisez votre mot de passe pour ${site}`,
    event: ({ site, when }) =>
      `Quelqu’un a demandé la réinitialisation du mot de passe de votre compte sur ${site} ${when}.`,
    openLink:
      'Pour choisir un nouveau mot de passe, ouvrez ce lien. Il est utilisable une seule fois, pendant une heure, et vous déconnecte partout.',
    otherwise:
      'Si ce n’était pas vous, ignorez cet e-mail. Votre mot de passe reste inchangé, et vous seul avez reçu ce lien.',
  },
  registration_attempt: {
    subject: ({ site }) => `Vous avez déjà un compte sur ${site}`,
    event: ({ site, when }) =>
      `Quelqu’un a indiqué cette adresse e-mail pour un compte sur ${site} ${when}. Vous avez déjà un compte avec cette adresse : rien n’a donc été modifié.`,
    signIn: 'Si c’était vous, connectez-vous :',
    forgotten: 'Si vous avez oublié votre mot de passe, choisissez-en un nouveau :',
    otherwise:
      'Si ce n’était pas vous, ignorez cet e-mail. L’autre personne n’a pas appris que vous avez un compte.',
  },
  username_taken: {
    subject: ({ site }) => `Votre inscription sur ${site} nécessite un autre nom d’utilisateur`,
    event: ({ site, when, username }) =>
      `Quelqu’un a utilisé cette adresse e-mail pour s’inscrire sur ${site} ${when}. Le nom d’utilisateur ${username ?? 'choisi'} est déjà pris : aucun compte n’a donc été créé.`,
    register: 'Pour vous inscrire, choisissez un autre nom d’utilisateur :',
    otherwise: 'Si ce n’était pas vous, ignorez cet e-mail.',
  },
  password_changed: {
    subject: ({ site }) => `Votre mot de passe pour ${site} a été changé`,
    event: ({ site, when, keysKept }) =>
      `Le mot de passe de votre compte sur ${site} a été changé ${when}. Toutes les sessions ont été fermées, sauf celle dans laquelle il a été changé. Vos clés d’API ont été ${keysKept ? 'conservées' : 'supprimées'}.`,
    otherwise: 'Si ce n’était pas vous, choisissez immédiatement un nouveau mot de passe :',
  },
  email_change_requested: {
    subject: ({ site }) => `Nouvelle adresse e-mail demandée pour votre compte sur ${site}`,
    event: ({ site, when, newEmail }) =>
      `Quelqu’un a demandé à remplacer l’adresse e-mail de votre compte sur ${site} par ${newEmail ?? 'une autre adresse'} ${when}. Le changement prendra effet dès que la nouvelle adresse sera confirmée.`,
    otherwise:
      'Si ce n’était pas vous, quelqu’un d’autre connaît votre mot de passe. Choisissez-en immédiatement un nouveau :',
  },
  email_changed: {
    subject: ({ site }) => `L’adresse e-mail de votre compte sur ${site} a été changée`,
    event: ({ site, when, newEmail }) =>
      `L’adresse e-mail de votre compte sur ${site}, qui était celle-ci, a été remplacée par ${newEmail ?? 'une autre adresse'} ${when}. Cette adresse ne recevra plus d’e-mails au sujet du compte.`,
    otherwise: ({ site }) =>
      `Si ce n’était pas vous, quelqu’un d’autre a accès à votre compte. Contactez immédiatement ${site}.`,
  },
  username_changed: {
    subject: ({ site }) => `Votre nom d’utilisateur sur ${site} a été changé`,
    event: ({ site, when, username }) =>
      `Le nom d’utilisateur de votre compte sur ${site} a été remplacé par ${username ?? 'un autre'} ${when}.`,
    otherwise:
      'Si ce n’était pas vous, quelqu’un d’autre connaît votre mot de passe. Choisissez-en immédiatement un nouveau :',
  },
  api_key_created: {
    subject: ({ site }) => `Nouvelle clé d’API pour votre compte sur ${site}`,
    event: ({ site, when, keyName }) =>
      `${keyName ? `La clé d’API ${keyName}` : 'Une clé d’API'} a été créée pour votre compte sur ${site} ${when}. Un programme qui la possède peut agir en votre nom.`,
    otherwise:
      'Si ce n’était pas vous, choisissez immédiatement un nouveau mot de passe. Toutes les sessions seront fermées et toutes les clés d’API supprimées :',
  },
  new_sign_in: {
    subject: ({ site }) => `Nouvelle connexion à votre compte sur ${site}`,
    event: ({ site, when }) =>
      `Quelqu’un s’est connecté à votre compte sur ${site} avec un appareil que nous ne connaissons pas, ${when}.`,
    device: ({ browser, system }) =>
      `Appareil : ${browser && system ? `${browser} sur ${system}` : (browser ?? system ?? 'inconnu')}`,
    app: ({ app }) => `Application : ${app}`,
    own: 'Si c’était vous, ignorez cet e-mail.',
    otherwise:
      'Si ce n’était pas vous, quelqu’un d’autre connaît votre mot de passe. Sécurisez votre compte à l’aide de ce lien et confirmez sur la page qui s’ouvre. Le lien est utilisable pendant 7 jours.',
    effect:
      'Tous les appareils et applications seront déconnectés, toutes les clés d’API supprimées, et le mot de passe ne sera plus valable. Vous recevrez un e-mail pour en choisir un nouveau.',
  },
  account_deleted: {
    subject: ({ site }) => `Votre compte sur ${site} a été supprimé`,
    event: ({ site, when }) =>
      `Votre compte sur ${site} a été supprimé ${when}. Vous êtes déconnecté partout, et ceci est le dernier e-mail à son sujet.`,
    otherwise: ({ site }) => `Si ce n’était pas vous, contactez ${site}.`,
  },
} satisfies MailTexts
