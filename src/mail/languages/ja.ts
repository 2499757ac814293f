import type { MailTexts } from './en.ts'

export const ja = {
  when: (at, ip) => (ip ? `${at} に、ネットワークアドレス ${ip} から` : `${at} に`),
  quotes: ['「', '」'],

  verify_email: {
    subject: ({ site }) => `${site} のメールアドレスの確認`,
    event: ({ site, when }) =>
      `${when}、${site} のアカウント用にこのメールアドレスが入力されました。`,
    enterCode: '登録したページで次のコードを入力してください。',
    orLink: 'リンクから確認することもできます。',
    openLink:
      'ご自身のアドレスであることを確認するには、次のリンクを開き、アカウントのパスワードを入力してください。リンクは 24 時間以内に 1 回だけ使えます。',
    otherwise: 'お心当たりがない場合は、このメールを無視してください。アドレスは確認されません。',
  },
  reset_password: {
    subject: ({ site }) => `${site} のパスワードの再設定`,
    event: ({ site, when }) => `${when}、${site} のアカウントのパスワード再設定が申請されました。`,
    openLink:
      '新しいパスワードを設定するには、次のリンクを開いてください。リンクは 1 時間以内に 1 回だけ使えます。設定すると、すべての端末からログアウトされます。',
    otherwise:
      'お心当たりがない場合は、このメールを無視してください。パスワードは変わりません。このリンクはあなただけにお送りしています。',
  },
  registration_attempt: {
    subject: ({ site }) => `${site} のアカウントをすでにお持ちです`,
    event: ({ site, when }) =>
      `${when}、${site} のアカウント用にこのメールアドレスが入力されました。このアドレスのアカウントはすでにあるため、何も変更されていません。`,
    signIn: 'ご本人の場合は、ログインしてください。',
    forgotten: 'パスワードをお忘れの場合は、新しいパスワードを設定してください。',
    otherwise:
      'お心当たりがない場合は、このメールを無視してください。アカウントをお持ちであることは、相手には知らされていません。',
  },
  username_taken: {
    subject: ({ site }) => `${site} の登録には別のユーザー名が必要です`,
    event: ({ site, when, username }) =>
      `${when}、このメールアドレスで ${site} への登録が行われました。${username ? `ユーザー名${username}` : '選ばれたユーザー名'}はすでに使われているため、アカウントは作成されませんでした。`,
    register: '登録するには、別のユーザー名を選んでください。',
    otherwise: 'お心当たりがない場合は、このメールを無視してください。',
  },
  password_changed: {
    subject: ({ site }) => `${site} のパスワードが変更されました`,
    event: ({ site, when, keysKept }) =>
      `${when}、${site} のアカウントのパスワードが変更されました。変更を行ったセッションを除き、すべてのセッションを終了しました。API キーは${keysKept ? '残してあります' : '削除しました'}。`,
    otherwise: 'お心当たりがない場合は、すぐに新しいパスワードを設定してください。',
  },
  email_change_requested: {
    subject: ({ site }) => `${site} のアカウントのメールアドレス変更の申請`,
    event: ({ site, when, newEmail }) =>
      `${when}、${site} のアカウントのメールアドレスを ${newEmail ?? '別のアドレス'} に変更する申請がありました。新しいアドレスが確認されると変更されます。`,
    otherwise:
      'お心当たりがない場合は、ほかの人にパスワードを知られています。すぐに新しいパスワードを設定してください。',
  },
  email_changed: {
    subject: ({ site }) => `${site} のアカウントのメールアドレスが変更されました`,
    event: ({ site, when, newEmail }) =>
      `${when}、${site} のアカウントのメールアドレスがこのアドレスから ${newEmail ?? '別のアドレス'} に変更されました。今後、アカウントに関するメールがこのアドレスに届くことはありません。`,
    otherwise: ({ site }) =>
      `お心当たりがない場合は、ほかの人がアカウントを操作しています。すぐに ${site} にご連絡ください。`,
  },
  username_changed: {
    subject: ({ site }) => `${site} のユーザー名が変更されました`,
    event: ({ site, when, username }) =>
      `${when}、${site} のアカウントのユーザー名が${username ?? '別の名前'}に変更されました。`,
    otherwise:
      'お心当たりがない場合は、ほかの人にパスワードを知られています。すぐに新しいパスワードを設定してください。',
  },
  api_key_created: {
    subject: ({ site }) => `${site} のアカウントの新しい API キー`,
    event: ({ site, when, keyName }) =>
      `${when}、${site} のアカウントに API キー${keyName ?? ''}が作成されました。このキーを持つプログラムは、あなたに代わって操作できます。`,
    otherwise:
      'お心当たりがない場合は、すぐに新しいパスワードを設定してください。すべてのセッションが終了し、すべての API キーが削除されます。',
  },
  new_sign_in: {
    subject: ({ site }) => `${site} のアカウントへの新しいログイン`,
    event: ({ site, when }) =>
      `${when}、これまで使われたことのないデバイスで ${site} のアカウントへのログインがありました。`,
    device: ({ browser, system }) =>
      `デバイス: ${browser && system ? `${system} の ${browser}` : (browser ?? system ?? '不明')}`,
    app: ({ app }) => `アプリ: ${app}`,
    own: 'ご本人の場合は、このメールを無視してください。',
    otherwise:
      'お心当たりがない場合は、ほかの人にパスワードを知られています。次のリンクを開き、表示されるページで確認して、アカウントを保護してください。リンクは 7 日間使えます。',
    effect:
      'すべての端末とアプリからログアウトし、すべての API キーを削除し、パスワードを無効にします。新しいパスワードを設定するためのメールをお送りします。',
  },
  account_deleted: {
    subject: ({ site }) => `${site} のアカウントが削除されました`,
    event: ({ site, when }) =>
      `${when}、${site} のアカウントが削除されました。すべての端末からログアウトされています。このアカウントに関するメールはこれが最後です。`,
    otherwise: ({ site }) => `お心当たりがない場合は、${site} にご連絡ください。`,
  },
} satisfies MailTexts
