// Runs a TypeScript file of src in Node through Vite, so that it sees the same modules (?raw shaders, too) as the page.
import { runnerImport } from 'vite';

await runnerImport('./scripts/main.mjs', { configFile: false, logLevel: 'error' });
