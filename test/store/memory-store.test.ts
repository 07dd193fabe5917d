import { storeContract } from './contract.ts';
import { MemoryDisk, MemoryStore } from './memory-store.ts';

storeContract('MemoryStore', () => {
  const disk = new MemoryDisk();
  return Promise.resolve({ open: () => Promise.resolve(new MemoryStore(disk)), remove: () => Promise.resolve() });
});
