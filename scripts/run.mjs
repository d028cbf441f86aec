// Runs a TypeScript file of src in Node through Vite, so that it sees the same modules (?raw shaders, too) as the page.
import { runnerImport } from 'vite';

const [entry, ...args] = process.argv.slice(2);
const { module } = await runnerImport(`./${entry}`, { configFile: false, logLevel: 'error' });
process.exitCode = await module.main(args);
