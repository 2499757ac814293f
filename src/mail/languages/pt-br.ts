import type { MailTexts } from './en.ts'

export const ptBr = {
  when: (at, ip) => (ip ? `em ${at}, a partir do endereço de rede ${ip}` : `em ${at}`),
  quotes: ['“', '”'],

  verify_email: {
    subject: ({ site }) => `Confirme seu e-mail para ${site}`,
    event: ({ site, when }) => `Alguém informou este e-mail para uma conta em ${site} ${when}.`,
    enterCode: 'Digite este código na página em que você se cadastrou:',
    orLink: 'Ou confirme pelo link.',
    openLink:
      'Para confirmar que o endereço é seu, abra este link e digite a senha da conta. O link funciona uma única vez, por 24 horas.',
    otherwise: 'Se não foi você, ignore este e-mail. O endereço não será confirmado.',
  },
  reset_password: {
    subject: ({ site }) => `Redefina sua senha de ${site}`,
    event: ({ site, when }) =>
      `Alguém pediu para redefinir a senha da sua conta em ${site} ${when}.`,
    openLink:
      'Para escolher uma nova senha, abra este link. Ele funciona uma única vez, por uma hora, e desconecta você em todos os lugares.',
    otherwise:
      'Se não foi você, ignore este e-mail. Sua senha continua a mesma, e só você recebeu este link.',
  },
  registration_attempt: {
    subject: ({ site }) => `Você já tem uma conta em ${site}`,
    event: ({ site, when }) =>
      `Alguém informou este e-mail para uma conta em ${site} ${when}. Você já tem uma conta com este endereço, por isso nada foi alterado.`,
    signIn: 'Se foi você, entre:',
    forgotten: 'Se você esqueceu a senha, escolha uma nova:',
    otherwise:
      'Se não foi você, ignore este e-mail. A outra pessoa não ficou sabendo que você tem uma conta.',
  },
  username_taken: {
    subject: ({ site }) => `Seu cadastro em ${site} precisa de outro nome de usuário`,
    event: ({ site, when, username }) =>
      `Alguém usou este e-mail para se cadastrar em ${site} ${when}. O nome de usuário ${username ?? 'escolhido'} já está em uso, por isso nenhuma conta foi criada.`,
    register: 'Para se cadastrar, escolha outro nome de usuário:',
    otherwise: 'Se não foi você, ignore este e-mail.',
  },
  password_changed: {
    subject: ({ site }) => `Sua senha de ${site} foi alterada`,
    event: ({ site, when, keysKept }) =>
      `A senha da sua conta em ${site} foi alterada ${when}. Todas as sessões foram encerradas, exceto aquela em que ela foi alterada. Suas chaves de API foram ${keysKept ? 'mantidas' : 'excluídas'}.`,
    otherwise: 'Se não foi você, escolha uma nova senha imediatamente:',
  },
  email_change_requested: {
    subject: ({ site }) => `Novo e-mail solicitado para sua conta em ${site}`,
    event: ({ site, when, newEmail }) =>
      `Alguém pediu para alterar o e-mail da sua conta em ${site} para ${newEmail ?? 'outro endereço'} ${when}. A alteração vale quando o novo endereço for confirmado.`,
    otherwise: 'Se não foi você, outra pessoa sabe sua senha. Escolha uma nova imediatamente:',
  },
  email_changed: {
    subject: ({ site }) => `O e-mail da sua conta em ${site} foi alterado`,
    event: ({ site, when, newEmail }) =>
      `O e-mail da sua conta em ${site} foi alterado deste para ${newEmail ?? 'outro endereço'} ${when}. Este endereço não receberá mais mensagens sobre a conta.`,
    otherwise: ({ site }) =>
      `Se não foi você, outra pessoa tem acesso à sua conta. Entre em contato com ${site} imediatamente.`,
  },
  username_changed: {
    subject: ({ site }) => `Seu nome de usuário em ${site} foi alterado`,
    event: ({ site, when, username }) =>
      `O nome de usuário da sua conta em ${site} foi alterado para ${username ?? 'outro'} ${when}.`,
    otherwise: 'Se não foi você, outra pessoa sabe sua senha. Escolha uma nova imediatamente:',
  },
  api_key_created: {
    subject: ({ site }) => `Nova chave de API para sua conta em ${site}`,
    event: ({ site, when, keyName }) =>
      `${keyName ? `A chave de API ${keyName}` : 'Uma chave de API'} foi criada para sua conta em ${site} ${when}. Um programa que a tenha pode agir em seu nome.`,
    otherwise:
      'Se não foi você, escolha uma nova senha imediatamente. Isso encerra todas as sessões e exclui todas as chaves de API:',
  },
  new_sign_in: {
    subject: ({ site }) => `Novo acesso à sua conta em ${site}`,
    event: ({ site, when }) =>
      `Alguém entrou na sua conta em ${site} com um dispositivo que não conhecemos, ${when}.`,
    device: ({ browser, system }) =>
      `Dispositivo: ${browser && system ? `${browser} no ${system}` : (browser ?? system ?? 'desconhecido')}`,
    app: ({ app }) => `Aplicativo: ${app}`,
    own: 'Se foi você, ignore este e-mail.',
    otherwise:
      'Se não foi você, outra pessoa sabe sua senha. Proteja sua conta com este link e confirme na página que se abre. O link funciona por 7 dias.',
    effect:
      'Todos os dispositivos e aplicativos serão desconectados, todas as chaves de API serão excluídas e a senha deixará de valer. Você receberá um e-mail para escolher uma nova.',
  },
  account_deleted: {
    subject: ({ site }) => `Sua conta em ${site} foi excluída`,
    event: ({ site, when }) =>
      `Sua conta em ${site} foi excluída ${when}. Você foi desconectado em todos os lugares, e este é o último e-mail sobre ela.`,
    otherwise: ({ site }) => `Se não foi você, entre em contato com ${site}.`,
  },
} satisfies MailTexts
