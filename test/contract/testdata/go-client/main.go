// The six documented calls through a client that oapi-codegen generated: client URL TOKEN CLUSTER;
// or a list of backups that is read from a file: client FILE.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"client/api"
)

func main() {
	if len(os.Args) == 2 {
		printSizes(os.Args[1])
		return
	}
	url, token, cluster := os.Args[1], os.Args[2], os.Args[3]
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	client, err := api.NewClientWithResponses(url, api.WithRequestEditorFn(authorize))
	check(err == nil, err)

	days, period := "Tuesday,Wednesday", "7:00-9:00"
	settings := api.StrategySettings{BackupDate: &days, Period: &period}
	saved, err := client.SaveStrategyWithResponse(ctx, cluster, nil, api.StrategyBody{Strategy: settings})
	check(err == nil && saved.JSON200 != nil, err)
	strategy, err := client.GetStrategyWithResponse(ctx, cluster)
	check(err == nil && strategy.JSON200 != nil, err)
	check(strategy.JSON200.Data.Strategy.Period == period, "not as saved")

	started, err := client.StartBackupWithResponse(ctx, nil, api.StartBackupBody{ClusterId: cluster})
	check(err == nil && started.JSON200 != nil, err)
	id := started.JSON200.Data.BackupId
	canceled, err := client.CancelBackupWithResponse(ctx, api.CancelBackupBody{ClusterId: cluster, BackupId: id})
	check(err == nil && canceled.JSON200 != nil, err)

	for {
		page := int64(1)
		listed, err := client.ListBackupsWithResponse(ctx, &api.ListBackupsParams{ClusterId: &cluster, Page: &page})
		check(err == nil && listed.JSON200 != nil, err)
		record := listed.JSON200.Data.BackupRecords[0]
		check(record.Id == id && !record.StartTime.IsZero(), record)
		if record.State == "Canceled" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	deleted, err := client.DeleteBackupWithResponse(ctx, id, nil, api.DeleteBackupBody{ClusterId: &cluster})
	check(err == nil && deleted.JSON200 != nil, err)

	unknown, err := client.GetBackupWithResponse(ctx, "nobody")
	check(err == nil && unknown.JSON404 != nil && unknown.JSON404.Code == 20610, "a failure is not as documented")
	fmt.Println("six calls are fine")
}

func printSizes(file string) {
	text, err := os.ReadFile(file)
	check(err == nil, err)
	var list api.ListBackupsAnswer
	err = json.Unmarshal(text, &list)
	check(err == nil, err)
	for _, record := range list.Data.BackupRecords {
		// Does not compile where a size has as many bits as the machine likes.
		var bytes int64 = record.SizeBytes
		var mebibytes float64 = record.Size
		fmt.Printf("%d %.3f\n", bytes, mebibytes)
	}
}

func check(fine bool, what any) {
	if !fine {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}
