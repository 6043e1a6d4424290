import { Command } from 'commander';
import { packageVersion } from '../common/package-version.js';
import { addAdminCommands } from './admin.commands.js';
import { addAppleCommands } from './apple.commands.js';
import { addAppCommands } from './app.commands.js';
import { addBackupCommands } from './backup.commands.js';
import { addDoctorCommand } from './doctor.command.js';
import { addKeysCommands } from './keys.commands.js';
import { addMailCommands } from './mail.commands.js';
import { addRoleCommands } from './role.commands.js';
import type { WithServices } from './with-services.js';

/** The command line `pluto`. */
export function buildProgram(withServices: WithServices): Command {
  const program = new Command('pluto')
    .description('Administers Pluto on the database and data folder of the settings')
    .version(packageVersion)
    .showHelpAfterError();
  addAdminCommands(program, withServices);
  addAppCommands(program, withServices);
  addRoleCommands(program, withServices);
  addKeysCommands(program, withServices);
  addMailCommands(program, withServices);
  addAppleCommands(program, withServices);
  addBackupCommands(program);
  addDoctorCommand(program);
  return program;
}
