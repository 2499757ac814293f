import type { MailTexts } from './en.ts'

export const es = {
  when: (at, ip) => (ip ? `el ${at}, desde la dirección de red ${ip}` : `el ${at}`),
  quotes: ['«', '»'],

  verify_email: {
    subject: ({ site }) => `Confirme su correo electrónico para ${site}`,
    event: ({ site, when }) =>
      `Alguien indicó este correo electrónico para una cuenta en ${site} ${when}.`,
    enterCode: 'Introduzca este código en la página en la que se registró:',
    orLink: 'O confírmelo con el enlace.',
    openLink:
      'Para confirmar que la dirección es suya, abra este enlace e introduzca la contraseña de la cuenta. El enlace se puede usar una sola vez, durante 24 horas.',
    otherwise: 'Si no ha sido usted, ignore este mensaje. La dirección no se confirmará.',
  },
  reset_password: {
    subject: ({ site }) => `Restablezca su contraseña de ${site}`,
    event: ({ site, when }) =>
      `Alguien pidió restablecer la contraseña de su cuenta en ${site} ${when}.`,
    openLink:
      'Para elegir una contraseña nueva, abra este enlace. Se puede usar una sola vez, durante una hora, y cierra su sesión en todas partes.',
    otherwise:
      'Si no ha sido usted, ignore este mensaje. Su contraseña sigue siendo la misma, y solo usted ha recibido este enlace.',
  },
  registration_attempt: {
    subject: ({ site }) => `Ya tiene una cuenta en ${site}`,
    event: ({ site, when }) =>
      `Alguien indicó este correo electrónico para una cuenta en ${site} ${when}. Usted ya tiene una cuenta con esta dirección, así que no se ha cambiado nada.`,
    signIn: 'Si ha sido usted, inicie sesión:',
    forgotten: 'Si ha olvidado su contraseña, elija una nueva:',
    otherwise:
      'Si no ha sido usted, ignore este mensaje. La otra persona no ha sabido que usted tiene una cuenta.',
  },
  username_taken: {
    subject: ({ site }) => `Su registro en ${site} necesita otro nombre de usuario`,
    event: ({ site, when, username }) =>
      `Alguien usó este correo electrónico para registrarse en ${site} ${when}. El nombre de usuario ${username ?? 'elegido'} ya está en uso, así que no se ha creado ninguna cuenta.`,
    register: 'Para registrarse, elija otro nombre de usuario:',
    otherwise: 'Si no ha sido usted, ignore este mensaje.',
  },
  password_changed: {
    subject: ({ site }) => `Se ha cambiado su contraseña de ${site}`,
    event: ({ site, when, keysKept }) =>
      `La contraseña de su cuenta en ${site} se cambió ${when}. Se han cerrado todas las sesiones, excepto aquella en la que se cambió. Sus claves de API se han ${keysKept ? 'conservado' : 'eliminado'}.`,
    otherwise: 'Si no ha sido usted, elija una contraseña nueva de inmediato:',
  },
  email_change_requested: {
    subject: ({ site }) => `Cambio de correo electrónico solicitado para su cuenta en ${site}`,
    event: ({ site, when, newEmail }) =>
      `Alguien pidió cambiar el correo electrónico de su cuenta en ${site} a ${newEmail ?? 'otra dirección'} ${when}. El cambio tendrá efecto cuando se confirme la nueva dirección.`,
    otherwise:
      'Si no ha sido usted, otra persona conoce su contraseña. Elija una nueva de inmediato:',
  },
  email_changed: {
    subject: ({ site }) => `Se ha cambiado el correo electrónico de su cuenta en ${site}`,
    event: ({ site, when, newEmail }) =>
      `El correo electrónico de su cuenta en ${site}, que era este, se cambió a ${newEmail ?? 'otra dirección'} ${when}. Esta dirección no recibirá más mensajes sobre la cuenta.`,
    otherwise: ({ site }) =>
      `Si no ha sido usted, otra persona tiene acceso a su cuenta. Póngase en contacto con ${site} de inmediato.`,
  },
  username_changed: {
    subject: ({ site }) => `Se ha cambiado su nombre de usuario en ${site}`,
    event: ({ site, when, username }) =>
      `El nombre de usuario de su cuenta en ${site} se cambió a ${username ?? 'otro'} ${when}.`,
    otherwise:
      'Si no ha sido usted, otra persona conoce su contraseña. Elija una nueva de inmediato:',
  },
  api_key_created: {
    subject: ({ site }) => `Nueva clave de API para su cuenta en ${site}`,
    event: ({ site, when, keyName }) =>
      `Se creó ${keyName ? `la clave de API ${keyName}` : 'una clave de API'} para su cuenta en ${site} ${when}. Un programa que la tenga puede actuar en su nombre.`,
    otherwise:
      'Si no ha sido usted, elija una contraseña nueva de inmediato. Así se cierran todas las sesiones y se eliminan todas las claves de API:',
  },
  new_sign_in: {
    subject: ({ site }) => `Nuevo inicio de sesión en su cuenta en ${site}`,
    event: ({ site, when }) =>
      `Alguien inició sesión en su cuenta en ${site} con un dispositivo que no conocemos, ${when}.`,
    device: ({ browser, system }) =>
      `Dispositivo: ${browser && system ? `${browser} en ${system}` : (browser ?? system ?? 'desconocido')}`,
    app: ({ app }) => `Aplicación: ${app}`,
    own: 'Si ha sido usted, ignore este mensaje.',
    otherwise:
      'Si no ha sido usted, otra persona conoce su contraseña. Proteja su cuenta con este enlace y confírmelo en la página que se abre. El enlace se puede usar durante 7 días.',
    effect:
      'Se cerrará la sesión en todos los dispositivos y aplicaciones, se eliminarán todas las claves de API y la contraseña dejará de ser válida. Recibirá un mensaje para elegir una nueva.',
  },
  account_deleted: {
    subject: ({ site }) => `Se ha eliminado su cuenta en ${site}`,
    event: ({ site, when }) =>
      `Su cuenta en ${site} se eliminó ${when}. Se ha cerrado su sesión en todas partes, y este es el último mensaje sobre ella.`,
    otherwise: ({ site }) => `Si no ha sido usted, póngase en contacto con ${site}.`,
  },
} satisfies MailTexts
