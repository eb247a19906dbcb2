// Redigo 1.8: a terminal that signs in over TLS, repeats by the error's word over several nodes, and pipelines.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/gomodule/redigo/redis"
)

var nodes = []string{"127.0.0.1:7401", "127.0.0.1:7402", "127.0.0.1:7403"}

func connect(address string) (redis.Conn, error) {
	c := os.Getenv("TALLY_CERTIFICATES")
	ca, err := os.ReadFile(c + "/ca.crt")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	own, err := tls.LoadX509KeyPair(c+"/till7.crt", c+"/till7.key")
	if err != nil {
		return nil, err
	}
	return redis.Dial("tcp", address, redis.DialUseTLS(true),
		redis.DialTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}),
		redis.DialUsername("till7"), redis.DialPassword(os.Getenv("TALLY_SECRET")),
		redis.DialConnectTimeout(2*time.Second), redis.DialReadTimeout(6*time.Second))
}

var again = regexp.MustCompile(`^(UNKNOWN|UNAVAILABLE|BUSY|LOADING)`)

// The same id on any node: an EARN that has been booked answers as it did.
func ask(verb string, words ...interface{}) (interface{}, error) {
	for attempt := 0; ; attempt++ {
		var reply interface{}
		conn, err := connect(nodes[attempt%len(nodes)])
		if err == nil {
			reply, err = conn.Do(verb, words...)
			conn.Close()
		}
		refused, isReply := err.(redis.Error)
		if err == nil || attempt >= 9 || isReply && !again.MatchString(string(refused)) {
			return reply, err
		}
		if attempt < 5 {
			time.Sleep(100 * time.Millisecond << attempt)
		} else {
			time.Sleep(3 * time.Second)
		}
	}
}

func main() {
	fmt.Println(ask("EARN", "ann", "merchant=shop", "points=5", "id=till7-g1"))
	conn, err := connect(nodes[0])
	if err != nil {
		panic(err)
	}
	conn.Send("BALANCE", "ann")
	conn.Send("EARN", "ann", "merchant=shop", "points=5", "id=till7-g2")
	conn.Flush()
	fmt.Println(conn.Receive())
	fmt.Println(conn.Receive())
}
