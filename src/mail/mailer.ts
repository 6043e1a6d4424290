// Of its own, so that `import()` finds the names in the bundle, too: of a CommonJS package it would give the default only.
export { MailerModule, MailerService } from '@nestjs-modules/mailer';
