// node-redis 4: a terminal that signs in over TLS, repeats by the error's word over several nodes, and pipelines.
const { createClient } = require("redis");
const fs = require("fs");
const C = process.env.TALLY_CERTIFICATES;
const nodes = ["127.0.0.1:7401", "127.0.0.1:7402", "127.0.0.1:7403"];

async function connect(address) {
  const [host, port] = address.split(":");
  const client = createClient({
    username: "till7", password: process.env.TALLY_SECRET,
    socket: { host, port: +port, tls: true, ca: fs.readFileSync(C + "/ca.crt"),
      cert: fs.readFileSync(C + "/till7.crt"), key: fs.readFileSync(C + "/till7.key"), reconnectStrategy: false },
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}
// The same id on any node: an EARN that has been booked answers as it did.
const again = /^(UNKNOWN|UNAVAILABLE|BUSY|LOADING)/;
async function ask(...words) {
  for (let attempt = 0; ; attempt++) {
    const address = nodes[attempt % nodes.length];
    let client;
    try {
      client = await connect(address);
      return await client.sendCommand(words);
    } catch (error) {
      if (attempt >= 9 || (error.constructor.name === "ErrorReply" && !again.test(error.message))) throw error;
      await new Promise((done) => setTimeout(done, 100 * 2 ** Math.min(attempt, 5)));
    } finally {
      if (client?.isOpen) await client.disconnect();
    }
  }
}
(async () => {
  console.log(await ask("EARN", "ann", "merchant=shop", "points=5", "id=till7-n1"));
  // What is sent without waiting goes as one pipeline.
  const client = await connect(nodes[0]);
  console.log(await Promise.all([
    client.sendCommand(["BALANCE", "ann"]),
    client.sendCommand(["EARN", "ann", "merchant=shop", "points=5", "id=till7-n2"]),
  ]));
  await client.quit();
})();
