import { watchTransactions } from '../../src/database/transaction-context.js';

// Before each test file: using the database outside a running transaction throws.
watchTransactions();
