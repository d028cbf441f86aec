import { expect, test } from 'vitest';
import { customFile } from '../models/library/modelSources.ts';
import { downloadText } from './downloadText.ts';
import type { Download } from './facts.ts';

const file = customFile('https://example.com/model.safetensors')!;
const running = (progress: Download['progress']): Download => ({ file, phase: 'running', progress });
const half = { done: 123.4e6, total: 246.1e6, verifying: false };

test.each<[Download, string]>([
  [running(null), 'Asking for the file'],
  [running(half), '123.4 of 246.1 MB'],
  [running({ ...half, bytesPerSecond: 12.3e6 }), '123.4 of 246.1 MB · 12.3 MB/s · 10 seconds left'],
  [running({ ...half, bytesPerSecond: 0.5e6 }), '123.4 of 246.1 MB · 0.5 MB/s · 4 minutes left'],
  [running({ ...half, bytesPerSecond: 0 }), '123.4 of 246.1 MB · 0.0 MB/s'],
  [running({ ...half, done: half.total, bytesPerSecond: 1e6 }), '246.1 of 246.1 MB · 1.0 MB/s'],
  [running({ ...half, verifying: true, bytesPerSecond: 1e9 }), 'Checking 123.4 of 246.1 MB'],
  [{ file, phase: 'paused', progress: half }, '123.4 of 246.1 MB'],
  [{ file, phase: 'failed', progress: null, message: 'No.' }, ''],
])('%#: $1', (download, text) => expect(downloadText(download)).toBe(text));
