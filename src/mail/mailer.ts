// A separate module for `import()`: the bundler finds the names of a CommonJS package only in static imports.
export { MailerModule, MailerService } from '@nestjs-modules/mailer';
export { createTransport } from 'nodemailer';
