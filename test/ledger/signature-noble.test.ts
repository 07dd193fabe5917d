import { nobleVerifier } from '../../src/ledger/signature-noble.ts';
import { signatureContract } from './signature-contract.ts';

signatureContract('in pure JavaScript', (identity, message, signature) =>
  nobleVerifier.verify(identity, message, signature),
);
