// Runs `main` of a TypeScript file of src. It is itself run by Vite, whose runner is open as long as this module has not ended, so
// that modules which `main` loads later are found.
const [entry, ...args] = process.argv.slice(2);
const { main } = await import(/* @vite-ignore */ `../${entry}`);
process.exitCode = await main(args);
