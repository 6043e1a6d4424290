import { watchTransactions } from '../../src/database/transaction-context.js';

// Before each test file: whoever uses the database past a running transaction is told so.
watchTransactions();
