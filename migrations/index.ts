import { CreateAccounts1795305600000 } from './1795305600000-create-accounts.js';
import { CreateProviderSignIn1795392000000 } from './1795392000000-create-provider-sign-in.js';
import { CreateOAuth1795478400000 } from './1795478400000-create-oauth.js';
import { CreateKnownDevices1795564800000 } from './1795564800000-create-known-devices.js';
import { CreateAudit1795651200000 } from './1795651200000-create-audit.js';
import { CreateUpkeepIndexes1795737600000 } from './1795737600000-create-upkeep-indexes.js';
import { PendingMails1795824000000 } from './1795824000000-pending-mails.js';
import { AddReplays1795910400000 } from './1795910400000-add-replays.js';
import { CreateLoginFailures1795996800000 } from './1795996800000-create-login-failures.js';
import { ClientApplications1796083200000 } from './1796083200000-client-applications.js';
import { MarkChosenHandles1796169600000 } from './1796169600000-mark-chosen-handles.js';
import { ProtectSignIn1796256000000 } from './1796256000000-protect-sign-in.js';
import { IndexSearch1796300000000 } from './1796300000000-index-search.js';
import { RecordPageSignIn1796400000000 } from './1796400000000-record-page-sign-in.js';
import { DescribePageSessions1796500000000 } from './1796500000000-describe-page-sessions.js';

/** All migrations, oldest first. */
export const migrations = [
  CreateAccounts1795305600000,
  CreateProviderSignIn1795392000000,
  CreateOAuth1795478400000,
  CreateKnownDevices1795564800000,
  CreateAudit1795651200000,
  CreateUpkeepIndexes1795737600000,
  PendingMails1795824000000,
  AddReplays1795910400000,
  CreateLoginFailures1795996800000,
  ClientApplications1796083200000,
  MarkChosenHandles1796169600000,
  ProtectSignIn1796256000000,
  IndexSearch1796300000000,
  RecordPageSignIn1796400000000,
  DescribePageSessions1796500000000,
];
